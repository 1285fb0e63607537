/** Validates the number of runs that a user gives. */

/** The expected value, for messages. */
export const RUN_COUNT = 'a whole number of runs, 1 or more';

export function isRunCount(count: number): boolean {
  return Number.isSafeInteger(count) && count >= 1;
}
