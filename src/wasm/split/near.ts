/**
 * Functions that a start may well execute, though its profile has not seen it: programs do not execute quite the same functions each
 * time (Go's garbage collector and scheduler depend on time), and what one start has in addition to another is most often a small
 * function that the others nearly call. Of the six that brought in parts of esbuild-wasm in 45 starts, five are called by an
 * executed function and have 0.5 to 2.7 KB; each part that came in took a start 4.5 ms of 60.
 *
 * @param sizes of the bodies of the declared functions, in bytes
 * @param calls by declared function: declared functions that it calls by their indices
 * @param hot whether a function is executed
 * @param share of the bytes of executed functions that the others may take
 * @returns those that are called by an executed function, the smallest first, as many as the share has room for
 */
export function findNear(
  sizes: readonly number[],
  calls: readonly (readonly number[])[],
  hot: readonly boolean[],
  share: number,
): Set<number> {
  const called = new Set(
    calls.flatMap((each, i) => (hot[i] ? each : [])).filter((i) => i in sizes && !hot[i]),
  );
  const sizeOf = (i: number) => sizes[i] ?? 0;
  let room = share * sizes.reduce((sum, size, i) => (hot[i] ? sum + size : sum), 0);
  const near = new Set<number>();
  for (const i of [...called].toSorted((a, b) => sizeOf(a) - sizeOf(b) || a - b)) {
    room -= sizeOf(i);
    if (room < 0) break;
    near.add(i);
  }
  return near;
}
