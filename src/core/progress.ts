/**
 * Progress of work that takes longer than a second: a live line in a terminal; plain lines, one at the start
 * and one at the end of each job, elsewhere. Written to standard error.
 */
import ora, { type Ora } from 'ora';

/** Milliseconds before anything is shown. */
const DELAY = 1000;

export interface Progress {
  /** Runs a job and shows that it is running. */
  track<Result>(label: string, job: () => Promise<Result>): Promise<Result>;
}

export function createProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  const running = new Set<string>();
  let finished = 0;
  let spinner: Ora | undefined;
  const live = stream.isTTY && !process.env['CI'];

  const line = () =>
    `wasm-precompile: ${[...running].join(', ')}${finished > 0 ? ` (${finished} done)` : ''}`;
  const update = () => {
    if (running.size > 0) {
      spinner ??= ora({ stream, discardStdin: false }).start();
      spinner.text = line();
    } else {
      spinner?.stop();
      spinner = undefined;
      finished = 0;
    }
  };

  return {
    async track(label, job) {
      const start = performance.now();
      let shown = false;
      const timer = setTimeout(() => {
        shown = true;
        running.add(label);
        if (live) update();
        else stream.write(`wasm-precompile: ${label} …\n`);
      }, DELAY);
      try {
        return await job();
      } finally {
        clearTimeout(timer);
        finished += 1;
        if (shown) {
          running.delete(label);
          if (live) update();
          else
            stream.write(`wasm-precompile: ${label}: ${((performance.now() - start) / 1000).toFixed(1)} s\n`);
        }
      }
    },
  };
}
