/** How a training ends: nothing that it has started is left. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Processes, RunningProcess } from './processes.ts';

/** Milliseconds that processes which the command started have to end after it. */
const LINGER = 5_000;

/** Milliseconds between the signal that asks to end and SIGKILL. */
const KILL_DELAY = 10_000;

/** Milliseconds that a process may take to end after SIGKILL: it may be waiting for a disk. */
const AFTER_KILL = 5_000;

/** Milliseconds between two looks. */
const POLL = 50;

export class Ending {
  readonly #processes: Processes;
  #timer: NodeJS.Timeout | undefined;
  #killed = false;

  constructor(processes: Processes) {
    this.#processes = processes;
  }

  /** Asks all processes to end, and kills those that have not after a while, whether or not the command itself has. */
  stop(signal: NodeJS.Signals): void {
    void this.#processes.signal(signal);
    this.#timer ??= setTimeout(() => this.kill(), KILL_DELAY);
  }

  kill(): void {
    clearTimeout(this.#timer);
    this.#killed = true;
    void this.#processes.signal('SIGKILL');
  }

  /**
   * After the command has ended: waits for all others, and ends those that do not do so by themselves.
   *
   * @returns those that had to be ended since they outlived the command, and those that could not be
   */
  async finish(): Promise<{ outlived: readonly RunningProcess[]; left: readonly RunningProcess[] }> {
    try {
      const lingering = await this.#wait(LINGER, () => this.#isStopping);
      const outlived = this.#isStopping ? [] : lingering;
      if (outlived.length > 0) this.stop('SIGTERM');
      const left = await this.#wait(KILL_DELAY + AFTER_KILL, () => false);
      return { outlived, left };
    } finally {
      clearTimeout(this.#timer);
    }
  }

  get #isStopping(): boolean {
    return this.#killed || this.#timer !== undefined;
  }

  /** Waits until nothing runs any more, at most for so many milliseconds. @returns what still runs */
  async #wait(limit: number, isEnough: () => boolean): Promise<readonly RunningProcess[]> {
    const deadline = performance.now() + limit;
    for (;;) {
      // One look after the other.
      // oxlint-disable-next-line no-await-in-loop
      const running = await this.#processes.running();
      if (running.length === 0 || performance.now() > deadline || isEnough()) return running;
      // Again: of what was started meanwhile.
      // oxlint-disable-next-line no-await-in-loop
      if (this.#killed) await this.#processes.signal('SIGKILL');
      // oxlint-disable-next-line no-await-in-loop
      await delay(POLL);
    }
  }
}
