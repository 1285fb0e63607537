/**
 * Modules travel: a program may post a `WebAssembly.Module` to another thread, where nobody knows that it is the primary of a
 * split one. So what is posted (or cloned) is the whole module instead.
 */
import { replace } from './link.ts';

const wholes = new WeakMap<object, () => WebAssembly.Module>();

/** Milliseconds of a start are spared where nobody can post anything yet. */
const POSTING = 'NativeModule internal/worker/io';

let guarded: 'no' | 'soon' | 'yes' = 'no';

/**
 * Has the whole module posted in the place of its primary.
 *
 * @param compileWhole called once, where it comes to that
 */
export function guardTravel(primary: WebAssembly.Module, compileWhole: () => WebAssembly.Module): void {
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
  return hasPrimary(message) ? copy(message, new Map()) : message;
}

function hasPrimary(message: unknown): boolean {
  const seen = new Set<object>();
  const left = [message];
  while (left.length > 0) {
    const value = left.pop();
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || seen.has(value)) continue;
    if (wholes.has(value)) return true;
    seen.add(value);
    left.push(...contentsOf(value));
  }
  return false;
}

/** The values that a clone of an object would have, too; getters aside. */
function contentsOf(value: object): unknown[] {
  if (Array.isArray(value)) return value;
  if (value instanceof Map) return [...value.keys(), ...value.values()];
  if (value instanceof Set) return [...value];
  return Object.values(Object.getOwnPropertyDescriptors(value)).map((property) => property.value as unknown);
}

/** Copies what a clone would copy in the same way; all else stays the same object, for the clone to make of it what it does. */
function copy(value: unknown, copies: Map<object, unknown>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const done = copies.get(value) ?? wholes.get(value)?.();
  if (done !== undefined) return done;
  if (!hasPrimary(value)) return value;
  if (value instanceof Map) {
    const map = new Map();
    copies.set(value, map);
    for (const [key, each] of value) map.set(copy(key, copies), copy(each, copies));
    return map;
  }
  if (value instanceof Set) {
    const set = new Set();
    copies.set(value, set);
    for (const each of value) set.add(copy(each, copies));
    return set;
  }
  const object: Record<string, unknown> = Array.isArray(value) ? ([] as never) : {};
  copies.set(value, object);
  for (const [key, each] of Object.entries(value)) object[key] = copy(each, copies);
  return object;
}
