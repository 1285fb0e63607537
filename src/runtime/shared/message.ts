/** Finds and replaces objects in messages, such as programs post to other threads. */

/** Returns the wanted objects in a message, at any depth that a structured clone would copy. */
export function findIn(message: unknown, isWanted: (value: object) => boolean): object[] {
  const found = new Set<object>();
  walk(message, (value) => {
    if (!isWanted(value)) return true;
    found.add(value);
    return false;
  });
  return [...found];
}

/**
 * Returns a message in which some objects are replaced. Copies only the objects that contain them, directly or
 * indirectly, in the way a structured clone does. All other objects stay the same.
 */
export function replaceIn(message: unknown, replacements: ReadonlyMap<object, unknown>): unknown {
  const holders = new Map<object, object[]>();
  walk(message, (value, holder) => {
    const known = holders.get(value) ?? [];
    if (holder) known.push(holder);
    holders.set(value, known);
    return !replacements.has(value);
  });
  const copies = new Map<unknown, unknown>(replacements);
  const pending = [...replacements.keys()];
  for (let value = pending.pop(); value; value = pending.pop()) {
    for (const holder of holders.get(value) ?? []) {
      if (copies.has(holder)) continue;
      copies.set(holder, emptyOf(holder));
      pending.push(holder);
    }
  }
  const resolve = (value: unknown) => (copies.has(value) ? copies.get(value) : value);
  for (const [value, copy] of copies) {
    if (!replacements.has(value as object)) fill(copy as object, value as object, resolve);
  }
  return resolve(message);
}

/**
 * @param visit called with each object, once for each object that holds it; returns whether to visit the values of
 *   the object
 */
function walk(message: unknown, visit: (value: object, holder: object | undefined) => boolean): void {
  const seen = new Set<object>();
  const pending: object[] = [];
  const see = (value: unknown, holder?: object) => {
    if (typeof value !== 'object' || value === null) return;
    const isNew = !seen.has(value);
    seen.add(value);
    if (visit(value, holder) && isNew) pending.push(value);
  };
  see(message);
  for (let value = pending.pop(); value; value = pending.pop()) {
    const holder = value;
    forEachIn(holder, (each) => see(each, holder));
  }
}

/** Classes of which a structured clone does not copy added properties. */
const OPAQUE = [Error, Date, RegExp, ArrayBuffer, Boolean, Number, String];

/** Calls `use` with the values of an object that a structured clone would copy, except for those of getters. */
function forEachIn(value: object, use: (each: unknown) => void): void {
  if (ArrayBuffer.isView(value) || OPAQUE.some((opaque) => value instanceof opaque)) return;
  if (Array.isArray(value)) {
    for (const each of value) use(each);
  } else if (value instanceof Map) {
    for (const [key, each] of value) {
      use(key);
      use(each);
    }
  } else if (value instanceof Set) {
    for (const each of value) use(each);
  } else {
    for (const key of Object.keys(value)) use(Object.getOwnPropertyDescriptor(value, key)?.value);
  }
}

function emptyOf(value: object): object {
  return Array.isArray(value) ? [] : value instanceof Map ? new Map() : value instanceof Set ? new Set() : {};
}

function fill(copy: object, value: object, resolve: (value: unknown) => unknown): void {
  if (value instanceof Map) {
    for (const [key, each] of value) (copy as Map<unknown, unknown>).set(resolve(key), resolve(each));
  } else if (value instanceof Set) {
    for (const each of value) (copy as Set<unknown>).add(resolve(each));
  } else {
    if (Array.isArray(value)) (copy as unknown[]).length = value.length;
    for (const [key, each] of Object.entries(value)) (copy as Record<string, unknown>)[key] = resolve(each);
  }
}
