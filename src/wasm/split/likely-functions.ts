/**
 * Finds functions that a program is likely to execute at startup, although the profile does not have them.
 * Programs do not execute exactly the same functions at each startup: Go's garbage collector and scheduler
 * depend on time. A function that only some startups execute is usually small, and a hot function calls it. Of
 * the six such functions that made esbuild-wasm load a secondary in 45 startups, hot functions call five, which
 * have 0.5 to 2.7 KiB. Each loaded secondary took 4.5 ms of a startup of 60 ms.
 *
 * @param sizes bytes of the bodies of the declared functions
 * @param calls by declared function: the declared functions that it calls by their indices
 * @param hot whether a function is in the profile
 * @param share space for the likely functions, as a share of the bytes of hot functions
 * @returns functions that a hot function calls, the smallest first, as many as fit
 */
export function findLikelyFunctions(
  sizes: readonly number[],
  calls: readonly (readonly number[])[],
  hot: readonly boolean[],
  share: number,
): Set<number> {
  const called = new Set(
    calls.flatMap((each, i) => (hot[i] ? each : [])).filter((i) => i in sizes && !hot[i]),
  );
  const sizeOf = (i: number) => sizes[i] ?? 0;
  let space = share * sizes.reduce((sum, size, i) => (hot[i] ? sum + size : sum), 0);
  const likely = new Set<number>();
  for (const i of [...called].toSorted((a, b) => sizeOf(a) - sizeOf(b) || a - b)) {
    space -= sizeOf(i);
    if (space < 0) break;
    likely.add(i);
  }
  return likely;
}
