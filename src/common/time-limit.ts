/** Time limits that users give, in seconds. */

/** Timers of JavaScript hold 31 bits of milliseconds. Given more, they run out at once. */
const LONGEST = Math.floor((2 ** 31 - 1) / 1000);

/** For messages: what was expected. */
export const TIME_LIMIT = `a number of seconds above 0, at most ${LONGEST} (24 days)`;

export function isTimeLimit(seconds: number): boolean {
  return seconds > 0 && seconds <= LONGEST;
}
