/** What a process tells of one start. */
import { once } from 'node:events';
import { existsSync, readFileSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { digest, type StartModule, type StartTimes, startStopwatch } from './start.ts';

export interface Sample {
  times: StartTimes;
  /** SHA-256 of the first result. */
  digest: string;
  /** Peak resident set size of the process, in bytes. */
  peakMemory: number;
}

/**
 * Starts a module and prints a `Sample` as JSON; then ends the process, since threads of the module may not end by
 * themselves.
 *
 * With `warm` as the last argument it does so in a process that has loaded and run the module before: the limit. V8 shares
 * native code within a process; a worker leaves everything else as cold as it is in other processes.
 *
 * @param url of the program
 */
export async function measureStart(start: StartModule, url: string): Promise<void> {
  if (!isMainThread) {
    await start(startStopwatch());
    // Stays alive, and so does the native code.
    parentPort?.on('message', () => {});
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- it is not a window
    parentPort?.postMessage('done');
    return;
  }
  const warm = process.argv.at(-1) === 'warm';
  if (warm) await once(new Worker(fileURLToPath(url), { argv: process.argv.slice(2) }), 'message');
  // The stopwatch wants a loop that has turned.
  await new Promise((resolve) => setImmediate(resolve));
  const stopwatch = startStopwatch(warm ? 'load' : undefined);
  const result = await start(stopwatch);
  // Before the digest, which is not part of the start.
  const peakMemory = readPeakMemory();
  const sample: Sample = { times: stopwatch.times(), digest: digest(result), peakMemory };
  writeSync(1, `${JSON.stringify(sample)}\n`);
  process.exit();
}

const STATUS = '/proc/self/status';

/** Linux counts the parent process, as it was before `exec`, into `maxRSS`; its own file does not. */
function readPeakMemory(): number {
  const kibibytes = existsSync(STATUS)
    ? Number(/^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(STATUS, 'utf8'))?.[1])
    : process.resourceUsage().maxRSS;
  return kibibytes * 1024;
}
