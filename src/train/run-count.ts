/** How often a command is run, as users give it. */

/** For messages: what was expected. */
export const RUN_COUNT = 'a whole number of runs, 1 or more';

export function isRunCount(count: number): boolean {
  return Number.isSafeInteger(count) && count >= 1;
}
