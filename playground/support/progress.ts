/** Shows progress on standard error: one rewritten line in a terminal, a new line from time to time elsewhere. */

/** Minimum milliseconds between lines outside of a terminal. */
const INTERVAL = 10_000;

export interface ProgressLine {
  update(text: string): void;
  end(): void;
}

export function createProgressLine({ stderr } = process): ProgressLine {
  let last = Number.NEGATIVE_INFINITY;
  if (stderr.isTTY) {
    return {
      update: (text) => stderr.write(`\r\u001B[K${text}`),
      end: () => stderr.write('\r\u001B[K'),
    };
  }
  return {
    update(text) {
      const now = performance.now();
      if (now - last < INTERVAL) return;
      last = now;
      stderr.write(`${text}\n`);
    },
    end() {},
  };
}
