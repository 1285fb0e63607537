/**
 * Progress of work that takes longer than a second, on standard error: one live line in a terminal; elsewhere one
 * plain line at the start and one at the end of each job.
 */
import ora, { type Ora } from 'ora';

/** Milliseconds before a job is shown. */
const DELAY = 1000;

export interface Progress {
  /**
   * Runs a job and shows that it is running.
   *
   * @param outcome describes the result, for the line at the end of the job
   */
  track<Result>(
    label: string,
    job: () => Promise<Result>,
    outcome?: (result: Result) => string | undefined,
  ): Promise<Result>;
}

/** @param delay milliseconds; a job that ends earlier is not shown */
export function createProgress(stream: NodeJS.WriteStream = process.stderr, delay: number = DELAY): Progress {
  const running = new Set<string>();
  let finished = 0;
  let spinner: Ora | undefined;
  // ora divides by the columns: in a pseudo terminal without a size it erases lines without end.
  const live = stream.isTTY && stream.columns > 0 && !process.env['CI'];

  const line = () =>
    `wasm-precompile: ${[...running].join(', ')}${finished > 0 ? ` (${finished} done)` : ''}`;
  const update = () => {
    if (running.size > 0) {
      spinner ??= ora({ stream, discardStdin: false });
      spinner.text = line();
      if (spinner.isSpinning) spinner.render();
      else spinner.start();
    } else {
      spinner?.stop();
      spinner = undefined;
      finished = 0;
    }
  };

  return {
    async track(label, job, outcome) {
      let ending = '';
      const start = performance.now();
      let shown = false;
      const timer = setTimeout(() => {
        shown = true;
        running.add(label);
        if (live) update();
        else stream.write(`wasm-precompile: ${label} …\n`);
      }, delay);
      try {
        const result = await job();
        const text = outcome?.(result);
        if (text !== undefined) ending = `, ${text}`;
        return result;
      } finally {
        clearTimeout(timer);
        finished += 1;
        if (shown) {
          running.delete(label);
          if (live) update();
          else
            stream.write(
              `wasm-precompile: ${label}: ${((performance.now() - start) / 1000).toFixed(1)} s${ending}\n`,
            );
        }
      }
    },
  };
}
