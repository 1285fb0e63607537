/** The facts about the declared functions that {@link findStubbedFunctions} needs: one entry for each function. */
export interface FunctionFacts {
  /** Bytes of the body. */
  sizes: readonly number[];
  /** Declared functions that it calls by their indices. */
  calls: readonly (readonly number[])[];
  /** Whether it cannot leave the primary. */
  isBound: readonly boolean[];
  /** Whether a program executes it at startup. */
  isHot: readonly boolean[];
  /** Whether it is in the primary. */
  stays: readonly boolean[];
}

/** About as many bytes as a stub takes. */
const STUB_SIZE = 32;

/**
 * Finds the hot functions that need no body in the primary, because native code has them. Functions that are
 * bound to the primary need theirs. So do functions that a function without native code calls there: when V8
 * optimises the caller, it would inline the stub.
 *
 * @param minBodies the least bytes of bodies that are worth a stubbed primary
 * @returns declared functions, ascending; none below `minBodies`
 */
export function findStubbedFunctions(
  { sizes, calls, isBound, isHot, stays }: FunctionFacts,
  minBodies: number,
): number[] {
  const calledWithoutNativeCode = new Set(calls.flatMap((each, i) => (stays[i] && !isHot[i] ? each : [])));
  const found = sizes.flatMap((size, i) =>
    isHot[i] && !isBound[i] && size > STUB_SIZE && !calledWithoutNativeCode.has(i) ? [i] : [],
  );
  const saved = found.reduce((sum, i) => sum + (sizes[i] ?? 0), 0);
  return saved < minBodies ? [] : found;
}
