/** Messages, as they are posted to other threads, with modules in them. */

/** The objects of a message, however deep, that a clone of it would have, too, and that are looked for. */
export function findIn(message: unknown, isWanted: (value: object) => boolean): object[] {
  const seen = new Set<object>();
  const left = [message];
  while (left.length > 0) {
    const value = left.pop();
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || seen.has(value)) continue;
    seen.add(value);
    if (!isWanted(value)) left.push(...contentsOf(value));
  }
  return [...seen].filter(isWanted);
}

/** A message with others in the place of some objects: itself where it has none of these. */
export function replaceIn(message: unknown, others: ReadonlyMap<object, unknown>): unknown {
  return copy(message, new Map(others));
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
  const done = copies.get(value);
  if (done !== undefined) return done;
  if (findIn(value, (each) => copies.has(each)).length === 0) return value;
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
