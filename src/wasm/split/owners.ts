/** The number of the primary; those of secondaries follow. */
export const PRIMARY = 0;

/** Bytes of function bodies in a secondary, about: browsers compile as much at once, and a first call waits for no more. */
const PART_SIZE = 4 * 1024 ** 2;

/** The most secondaries that a module is cut into, for all of its code. */
export function maxSecondaries(codeSize: number, partSize = PART_SIZE): number {
  return Math.max(1, Math.ceil(codeSize / partSize));
}

/**
 * Which part each function is in. Neighbours stay together: linkers put together what belongs together.
 *
 * @param sizes of the bodies, in bytes
 * @param stays whether a function stays in the primary
 * @param parts how many secondaries there are to be at most
 * @returns numbers of parts, by function
 */
export function assignOwners(
  sizes: readonly number[],
  stays: readonly boolean[],
  parts: number | undefined,
): number[] {
  const total = sizes.reduce((sum, size, i) => (stays[i] ? sum : sum + size), 0);
  const share = total / (parts ?? maxSecondaries(total));
  let part = 0;
  let filled = 0;
  let last = 0;
  return sizes.map((size, i) => {
    if (stays[i]) return PRIMARY;
    // The share that its middle is in. A large function may span several.
    const middle = 1 + Math.floor((filled + size / 2) / share);
    filled += size;
    if (middle > last) part++;
    last = middle;
    return part;
  });
}
