/** Messages, as they are posted to other threads, with modules in them. */

/** The objects of a message, however deep, that a clone of it would have, too, and that are looked for. */
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
 * A message with others in the place of some objects. Copied is only what leads to these, as a clone would copy it; all else stays
 * the same object, for the clone to make of it what it does.
 */
export function replaceIn(message: unknown, others: ReadonlyMap<object, unknown>): unknown {
  const holders = new Map<object, object[]>();
  walk(message, (value, holder) => {
    const known = holders.get(value) ?? [];
    if (holder) known.push(holder);
    holders.set(value, known);
    return !others.has(value);
  });
  const copies = new Map<unknown, unknown>(others);
  const left = [...others.keys()];
  for (let value = left.pop(); value; value = left.pop()) {
    for (const holder of holders.get(value) ?? []) {
      if (copies.has(holder)) continue;
      copies.set(holder, emptyOf(holder));
      left.push(holder);
    }
  }
  const take = (value: unknown) => (copies.has(value) ? copies.get(value) : value);
  for (const [value, copy] of copies) {
    if (!others.has(value as object)) fill(copy as object, value as object, take);
  }
  return take(message);
}

/** @param visit told of each object, for every object that has it; gives whether to look into it */
function walk(message: unknown, visit: (value: object, holder: object | undefined) => boolean): void {
  const seen = new Set<object>();
  const left: object[] = [];
  const see = (value: unknown, holder?: object) => {
    if (typeof value !== 'object' || value === null) return;
    const isNew = !seen.has(value);
    seen.add(value);
    if (visit(value, holder) && isNew) left.push(value);
  };
  see(message);
  for (let value = left.pop(); value; value = left.pop()) {
    const holder = value;
    forEachIn(holder, (each) => see(each, holder));
  }
}

/** Of these a clone takes nothing that somebody has added. */
const OPAQUE = [Error, Date, RegExp, ArrayBuffer, Boolean, Number, String];

/** The values that a clone of an object would have, too; getters aside. */
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

function fill(copy: object, value: object, take: (value: unknown) => unknown): void {
  if (value instanceof Map) {
    for (const [key, each] of value) (copy as Map<unknown, unknown>).set(take(key), take(each));
  } else if (value instanceof Set) {
    for (const each of value) (copy as Set<unknown>).add(take(each));
  } else {
    if (Array.isArray(value)) (copy as unknown[]).length = value.length;
    for (const [key, each] of Object.entries(value)) (copy as Record<string, unknown>)[key] = take(each);
  }
}
