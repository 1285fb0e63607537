/** A page that does other work, as entries do, then starts a module, and records the time of the first result. */
import { start } from 'web:workload';

declare global {
  var bench: { total: number; result: string; repeat: () => Promise<void> } | undefined;
}

/** Milliseconds of the other work. */
const OTHER_WORK = 300;

/** Number of calls after which Chromium has optimised the called functions. */
const REPETITIONS = 300;

const end = performance.now() + OTHER_WORK;
while (performance.now() < end);

const call = await start();
const result = call();
globalThis.bench = {
  total: performance.now(),
  result,
  async repeat() {
    const until = performance.now() + 6000;
    for (let count = 0; count < REPETITIONS && performance.now() < until; count += 1) {
      call();
      await new Promise((resolve) => setTimeout(resolve));
    }
  },
};
