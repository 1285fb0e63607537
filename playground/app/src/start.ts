/** How a module's start is told: its first result, and how long each step took. */
import { createHash } from 'node:crypto';

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
}

export interface Start<Result> {
  result: Result;
  times: StartTimes;
}

export type Step = Exclude<keyof StartTimes, 'total'>;

export interface Stopwatch {
  /** The step ends now, and the next one begins. */
  lap(step: Step): void;
  times(): StartTimes;
}

/** A stopwatch that begins now. */
export function startStopwatch(): Stopwatch {
  const began = performance.now();
  let last = began;
  const steps = { load: 0, instantiate: 0, call: 0 };
  return {
    lap(step) {
      const now = performance.now();
      steps[step] = now - last;
      last = now;
    },
    times: () => ({ ...steps, total: last - began }),
  };
}

/** SHA-256 of a result, in hexadecimal: to see that two builds compute the same. */
export function digest(result: unknown): string {
  return createHash('sha256')
    .update(result instanceof Uint8Array ? result : JSON.stringify(result))
    .digest('hex');
}
