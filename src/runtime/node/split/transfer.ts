/**
 * Modules travel: a program may post a `WebAssembly.Module` to another thread, where nobody knows that it is the primary of a
 * split one. So what is posted (or cloned) is the whole module instead.
 */
import { replace } from '../../shared/link.ts';
import { findIn, replaceIn } from '../../shared/message.ts';

const wholes = new WeakMap<object, () => WebAssembly.Module>();

/** Milliseconds of a start are spared where nobody can post anything yet. */
const POSTING = 'NativeModule internal/worker/io';

let guarded: 'no' | 'soon' | 'yes' = 'no';

/**
 * Has the whole module posted in the place of its primary.
 *
 * @param compileWhole called once, where it comes to that
 */
export function guardTransfer(primary: WebAssembly.Module, compileWhole: () => WebAssembly.Module): void {
  let whole: WebAssembly.Module | undefined;
  wholes.set(primary, () => (whole ??= compileWhole()));
  if (guarded === 'yes') return;
  const { moduleLoadList } = process as unknown as { moduleLoadList?: string[] };
  if (!moduleLoadList || moduleLoadList.includes(POSTING)) guard();
  else if (guarded === 'no') setImmediate(guard).unref();
  if (guarded === 'no') guarded = 'soon';
}

function guard(): void {
  if (guarded === 'yes') return;
  guarded = 'yes';
  const handler: ProxyHandler<(value: never, ...rest: never[]) => unknown> = {
    apply: (target, self, [value, ...rest]) => Reflect.apply(target, self, [withWholes(value), ...rest]),
  };
  // Workers, ports and broadcast channels all post by the method of ports.
  replace(MessagePort.prototype, 'postMessage', handler);
  replace(globalThis, 'structuredClone', handler);
}

/** A message without primaries: itself where it has none. */
function withWholes(message: unknown): unknown {
  const primaries = findIn(message, (value) => wholes.has(value));
  if (primaries.length === 0) return message;
  return replaceIn(message, new Map(primaries.map((primary) => [primary, wholes.get(primary)?.()])));
}
