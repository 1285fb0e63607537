/** Waits for the event loop to have nothing to do, without keeping the process alive. */
import { builtin } from '../builtin.ts';

const { performance } = builtin('node:perf_hooks');

/** Part of the time that an idle event loop may work. */
const IDLE = 0.1;

/** @param delay milliseconds for which it must have been idle; 0: only that it turns */
export function whenIdle(delay: number, start: () => void): void {
  let last = performance.eventLoopUtilization();
  const look = () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    if (delay === 0 || utilization < IDLE) start();
    else wait();
  };
  const wait = () => void setTimeout(look, delay).unref();
  wait();
}
