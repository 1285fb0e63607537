/** Waits until the event loop is idle, without keeping the process alive. */
import { builtin } from '../builtin.ts';

const { performance } = builtin('node:perf_hooks');

/** The fraction of the time that an idle event loop may be busy. */
const MAX_UTILIZATION = 0.1;

/** @param delay milliseconds for which the event loop must have been idle; 0: run at its next turn */
export function whenIdle(delay: number, run: () => void): void {
  let last = performance.eventLoopUtilization();
  const check = () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    if (delay === 0 || utilization < MAX_UTILIZATION) run();
    else wait();
  };
  const wait = () => void setTimeout(check, delay).unref();
  wait();
}
