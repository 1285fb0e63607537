/** How long something still takes, judged by what is done. */

export interface TimeLeft {
  /** So much more is done. */
  done(amount: number): void;
  /** `, about 3 min to go`; empty while nothing is done. */
  describe(): string;
}

/** @param total in the unit of `done` */
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
