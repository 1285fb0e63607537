/** How a module's start is told: its first result, and how long each step took. */
import { createHash } from 'node:crypto';
import { performance } from 'node:perf_hooks';

/** Milliseconds. */
export interface StartTimes {
  /** From before the file is touched until the module is there; with `?init`, until its instance is there. */
  load: number;
  /** Until the module can be called. */
  instantiate: number;
  /** The first real piece of work. */
  call: number;
  /** All of them: from before the file is touched until the first real result. */
  total: number;
  /** Of `total`, how long the main thread was busy. */
  blocked: number;
}

export interface Start<Result> {
  result: Result;
  times: StartTimes;
}

export type Step = 'load' | 'instantiate' | 'call';

export interface Stopwatch {
  /** The step ends now, and the next one begins. */
  lap(step: Step): void;
  times(): StartTimes;
}

/**
 * A stopwatch that begins now. What Node's event loop does not spend waiting is what the thread is busy; Node knows that
 * only once the loop has turned.
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

/** Starts a module and does its first piece of work; says when each step ends. */
export type StartModule<Result = unknown> = (stopwatch: Stopwatch) => Promise<Result>;

export async function timeStart<Result>(start: StartModule<Result>): Promise<Start<Result>> {
  const stopwatch = startStopwatch();
  const result = await start(stopwatch);
  return { result, times: stopwatch.times() };
}

/** SHA-256 of a result, in hexadecimal: to see that two builds compute the same. */
export function digest(result: unknown): string {
  return createHash('sha256')
    .update(result instanceof Uint8Array ? result : JSON.stringify(result))
    .digest('hex');
}
