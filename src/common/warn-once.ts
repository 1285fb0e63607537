/**
 * Prints a warning.
 *
 * @param cause identifies what the warning is about, if messages about the same thing differ. Default: the message
 */
export type Warn = (message: string, cause?: string) => void;

/** Returns a function that prints the first warning about each cause. */
export function warnOnce(print: (message: string) => void): Warn {
  const printed = new Set<string>();
  return (message, cause = message) => {
    if (printed.has(cause)) return;
    printed.add(cause);
    print(message);
  };
}
