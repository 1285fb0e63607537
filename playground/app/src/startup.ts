/** Measures the startup of a module: its first result, and the time of each step. */
import { createHash } from 'node:crypto';
import { performance } from 'node:perf_hooks';

/** Milliseconds. */
export interface StartupTimes {
  /** From just before the file is opened until the module is available; with `?init`, its instance. */
  load: number;
  /** Until the module can be called. */
  instantiate: number;
  /** The first real work. */
  call: number;
  /** All steps: from just before the file is opened until the first real result. */
  total: number;
  /** The part of `total` in which the main thread was busy. */
  blocked: number;
}

export interface Startup<Result> {
  result: Result;
  times: StartupTimes;
}

export type Step = 'load' | 'instantiate' | 'call';

export interface Stopwatch {
  /** Ends a step, and begins the next one. */
  lap(step: Step): void;
  times(): StartupTimes;
}

/**
 * Starts a stopwatch. The thread is busy when Node's event loop is not idle, which Node can measure only after
 * the first iteration of the loop.
 *
 * @param ignored a step that does not count
 */
export function startStopwatch(ignored?: Step): Stopwatch {
  const idle = performance.eventLoopUtilization();
  let last = { time: performance.now(), busy: 0 };
  const times = { load: 0, instantiate: 0, call: 0, total: 0, blocked: 0 };
  return {
    lap(step) {
      const now = { time: performance.now(), busy: performance.eventLoopUtilization(idle).active };
      if (step !== ignored) {
        times[step] += now.time - last.time;
        times.total += now.time - last.time;
        times.blocked += now.busy - last.busy;
      }
      last = now;
    },
    times: () => times,
  };
}

/** Starts a module and does its first work; calls the stopwatch at the end of each step. */
export type StartModule<Result = unknown> = (stopwatch: Stopwatch) => Promise<Result>;

export async function timeStartup<Result>(start: StartModule<Result>): Promise<Startup<Result>> {
  const stopwatch = startStopwatch();
  const result = await start(stopwatch);
  return { result, times: stopwatch.times() };
}

/** Returns the SHA-256 of a result, in hexadecimal, to check that two builds compute the same. */
export function digest(result: unknown): string {
  return createHash('sha256')
    .update(result instanceof Uint8Array ? result : JSON.stringify(result))
    .digest('hex');
}
