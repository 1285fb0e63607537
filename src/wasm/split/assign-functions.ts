/** The number of the primary. The secondaries have the numbers from 1 on. */
export const PRIMARY = 0;

/**
 * About as many bytes of code as a secondary gets: browsers compile it at once, and a first call blocks until
 * then.
 */
const SECONDARY_SIZE = 4 * 1024 ** 2;

/** The most secondaries that a module with this many bytes of code is split into by default. */
export function maxSecondaries(codeSize: number): number {
  return Math.max(1, Math.ceil(codeSize / SECONDARY_SIZE));
}

/**
 * Assigns each function to a module. Neighbours stay together, because linkers place related functions next to
 * each other.
 *
 * @param sizes bytes of the bodies
 * @param stays whether a function stays in the primary
 * @param secondaries the most secondaries; by default {@link maxSecondaries} of the code that moves
 * @returns the number of a module, by function
 */
export function assignFunctions(
  sizes: readonly number[],
  stays: readonly boolean[],
  secondaries: number | undefined,
): number[] {
  const total = sizes.reduce((sum, size, i) => (stays[i] ? sum : sum + size), 0);
  const share = total / (secondaries ?? maxSecondaries(total));
  let module = PRIMARY;
  let filled = 0;
  let last = 0;
  return sizes.map((size, i) => {
    if (stays[i]) return PRIMARY;
    // The share that contains the function's middle. A large function may span several shares; the numbers of
    // modules stay consecutive.
    const middle = 1 + Math.floor((filled + size / 2) / share);
    filled += size;
    if (middle > last) module++;
    last = middle;
    return module;
  });
}
