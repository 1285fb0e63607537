/** One line of progress on standard error: rewritten in a terminal, now and then a new one elsewhere. */

/** Milliseconds between lines where they stay. */
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
