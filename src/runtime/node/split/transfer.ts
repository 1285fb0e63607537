/**
 * Transfers split modules to other threads. A program may post a `WebAssembly.Module` to another thread, whose
 * runtime does not know the primary. So the receiver of a posted or cloned primary gets the original module instead.
 */
import { replace } from '../../shared/link.ts';
import { findIn, replaceIn } from '../../shared/message.ts';

/** Compile the original modules, by primary. */
const originals = new WeakMap<object, () => WebAssembly.Module>();

/**
 * Node's module for posting. Until it is loaded, nothing can be posted, and loading it would add milliseconds to
 * startup.
 */
const POSTING = 'NativeModule internal/worker/io';

let interception: 'none' | 'scheduled' | 'done' = 'none';

/**
 * Replaces a primary in messages by the original module.
 *
 * @param compileOriginal called once, at the first message with the primary
 */
export function transferOriginal(
  primary: WebAssembly.Module,
  compileOriginal: () => WebAssembly.Module,
): void {
  let original: WebAssembly.Module | undefined;
  originals.set(primary, () => (original ??= compileOriginal()));
  if (interception === 'done') return;
  const { moduleLoadList } = process as unknown as { moduleLoadList?: string[] };
  if (!moduleLoadList || moduleLoadList.includes(POSTING)) interceptPosting();
  else if (interception === 'none') setImmediate(interceptPosting).unref();
  if (interception === 'none') interception = 'scheduled';
}

function interceptPosting(): void {
  if (interception === 'done') return;
  interception = 'done';
  const handler: ProxyHandler<(value: never, ...rest: never[]) => unknown> = {
    apply: (target, self, [value, ...rest]) => Reflect.apply(target, self, [withOriginals(value), ...rest]),
  };
  // Workers, ports and broadcast channels all post by the method of ports.
  replace(MessagePort.prototype, 'postMessage', handler);
  replace(globalThis, 'structuredClone', handler);
}

/** Returns the message with originals in place of primaries; the same object if it has none. */
function withOriginals(message: unknown): unknown {
  const primaries = findIn(message, (value) => originals.has(value));
  if (primaries.length === 0) return message;
  return replaceIn(message, new Map(primaries.map((primary) => [primary, originals.get(primary)?.()])));
}
