/** Estimates the remaining time from the work done so far. */

export interface TimeLeft {
  /** Adds an amount of finished work. */
  done(amount: number): void;
  /** Returns `, about 3 min to go`; empty before any work is done. */
  describe(): string;
}

/** @param total total work, in the unit of `done` */
export function estimateTimeLeft(total: number): TimeLeft {
  const start = performance.now();
  let finished = 0;
  return {
    done(amount) {
      finished += amount;
    },
    describe() {
      if (finished === 0) return '';
      const seconds = ((performance.now() - start) / 1000) * (total / finished - 1);
      return `, about ${seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`} to go`;
    },
  };
}
