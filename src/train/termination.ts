/** Ends a training run, with all processes that it has started. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Processes, RunningProcess } from './processes.ts';

/** Milliseconds that other processes of the run may outlive the command. */
const LINGER = 5_000;

/** Milliseconds between the first signal and SIGKILL. */
const KILL_DELAY = 10_000;

/** Milliseconds that a process may take to end after SIGKILL: it may be blocked on a disk. */
const AFTER_KILL = 5_000;

/** Milliseconds between two checks. */
const POLL = 50;

export class Termination {
  readonly #processes: Processes;
  #timer: NodeJS.Timeout | undefined;
  #killed = false;

  constructor(processes: Processes) {
    this.#processes = processes;
  }

  /** Sends a signal to all processes, and kills those that still run {@link KILL_DELAY} later. */
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
   * After the command has ended: waits for all other processes, and ends those that keep running.
   *
   * @returns the processes that outlived the command and were ended, and those that still run
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

  /** Waits until no process runs, for at most `limit` milliseconds. @returns the processes that still run */
  async #wait(limit: number, isEnough: () => boolean): Promise<readonly RunningProcess[]> {
    const deadline = performance.now() + limit;
    for (;;) {
      // Sequential, because each check decides whether to continue.
      // oxlint-disable-next-line no-await-in-loop
      const running = await this.#processes.running();
      if (running.length === 0 || performance.now() > deadline || isEnough()) return running;
      // Sent again, to processes that were started meanwhile.
      // oxlint-disable-next-line no-await-in-loop
      if (this.#killed) await this.#processes.signal('SIGKILL');
      // oxlint-disable-next-line no-await-in-loop
      await delay(POLL);
    }
  }
}
