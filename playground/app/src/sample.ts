/** Measures one startup in this process. */
import { once } from 'node:events';
import { existsSync, readFileSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { digest, type StartModule, type StartupTimes, startStopwatch } from './startup.ts';

export interface Sample {
  times: StartupTimes;
  /** SHA-256 of the first result. */
  digest: string;
  /** Peak resident set size of the process, in bytes. */
  peakMemory: number;
}

/**
 * Starts a module and prints a `Sample` as JSON. Then it ends the process, because threads of the module may
 * keep running.
 *
 * With `warm` as the last argument, a worker loads and runs the module before: the limit. V8 shares native code
 * within a process. Everything else of the worker is separate, so the main thread is as cold as in other
 * processes.
 *
 * @param url URL of the program
 */
export async function measureStartup(start: StartModule, url: string): Promise<void> {
  if (!isMainThread) {
    await start(startStopwatch());
    // Keeps the worker alive, and with it the native code.
    parentPort?.on('message', () => {});
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- only windows have an origin
    parentPort?.postMessage('done');
    return;
  }
  const warm = process.argv.at(-1) === 'warm';
  if (warm) await once(new Worker(fileURLToPath(url), { argv: process.argv.slice(2) }), 'message');
  // The stopwatch needs an event loop that has completed an iteration.
  await new Promise((resolve) => setImmediate(resolve));
  const stopwatch = startStopwatch(warm ? 'load' : undefined);
  const result = await start(stopwatch);
  // Read before the digest is computed, which is not part of the startup.
  const peakMemory = readPeakMemory();
  const sample: Sample = { times: stopwatch.times(), digest: digest(result), peakMemory };
  writeSync(1, `${JSON.stringify(sample)}\n`);
  process.exit();
}

const STATUS = '/proc/self/status';

/** On Linux, `maxRSS` includes the parent process before `exec`; the status file does not. */
function readPeakMemory(): number {
  const kibibytes = existsSync(STATUS)
    ? Number(/^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(STATUS, 'utf8'))?.[1])
    : process.resourceUsage().maxRSS;
  return kibibytes * 1024;
}
