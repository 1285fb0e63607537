/** Time limits in options and flags, in seconds. */

/** JavaScript timers hold 31 bits of milliseconds. With a larger value, they fire at once. */
const LONGEST = Math.floor((2 ** 31 - 1) / 1000);

/** The expected value, for messages. */
export const TIME_LIMIT = `a number of seconds above 0, at most ${LONGEST} (24 days)`;

export function isTimeLimit(seconds: number): boolean {
  return seconds > 0 && seconds <= LONGEST;
}
