/** The number of the primary; those of secondaries follow. */
export const PRIMARY = 0;

/**
 * Which part each function is in. Neighbours stay together: linkers put together what belongs together.
 *
 * @param sizes of the bodies, in bytes
 * @param stays whether a function stays in the primary
 * @param partSize most bytes of bodies in a secondary; a larger function has one for itself
 * @returns numbers of parts, by function
 */
export function assignOwners(
  sizes: readonly number[],
  stays: readonly boolean[],
  partSize: number,
): number[] {
  const total = sizes.reduce((sum, size, i) => (stays[i] ? sum : sum + size), 0);
  // As many as it takes, of about equal size.
  const share = total / Math.max(1, Math.ceil(total / partSize));
  let part = 1;
  let filled = 0;
  let used = 0;
  return sizes.map((size, i) => {
    if (stays[i]) return PRIMARY;
    const full = filled >= share * part;
    if (used > 0 && (full || used + size > partSize)) {
      part++;
      used = 0;
    }
    used += size;
    filled += size;
    return part;
  });
}
