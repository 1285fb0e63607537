/** The processes of a run: the command, and all processes that it has started. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { FOLDER_VARIABLE } from '../recorder/record-folder.ts';
import { readProcesses } from './collect.ts';

export interface RunningProcess {
  pid: number;
  command: readonly string[];
}

interface FoundProcess extends RunningProcess {
  /** Whether it is in the command's process group, which a program may leave. */
  grouped: boolean;
}

/**
 * Whether the command gets a process group of its own, so that a signal reaches all its processes: shells and
 * other programs do not forward signals. The group is also a separate session, which gets Ctrl-C from us, not
 * from the terminal.
 */
export const OWN_GROUP = process.platform !== 'win32';

/** Linux lists all processes in /proc; elsewhere only the group and the recording processes are known. */
const PROC = existsSync('/proc/self/environ');

export class Processes {
  readonly #folder: string;
  readonly #leader: number;
  #leaderEnded = false;

  /**
   * @param folder the folder in which the processes record
   * @param leader the command's process
   */
  constructor(folder: string, leader: number) {
    this.#folder = folder;
    this.#leader = leader;
  }

  /** Call when the command has ended: another process may soon get its process id. */
  leaderEnded(): void {
    this.#leaderEnded = true;
  }

  /** Returns the processes that still run. */
  running(): Promise<readonly RunningProcess[]> {
    return this.#find();
  }

  /** Sends a signal to all running processes, to each once: many programs quit immediately at a second signal. */
  async signal(signal: NodeJS.Signals): Promise<void> {
    // On Windows, the console sends Ctrl-C to all its processes. All other means end a process before it can record.
    if (signal === 'SIGINT' && !OWN_GROUP) return;
    const found = await this.#find();
    if (OWN_GROUP && found.some(({ grouped }) => grouped)) send(-this.#leader, signal);
    for (const { pid, grouped } of found) if (!grouped || !OWN_GROUP) send(pid, signal);
  }

  /** Kills the processes synchronously, for the exit of this process. */
  killNow(): void {
    if (OWN_GROUP) send(-this.#leader, 'SIGKILL');
    else if (!this.#leaderEnded) send(this.#leader, 'SIGKILL');
  }

  #find(): Promise<FoundProcess[]> {
    return PROC ? Promise.resolve(this.#scan()) : this.#probe();
  }

  #scan(): FoundProcess[] {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return pids.flatMap((pid) => this.#inspect(Number(pid)) ?? []);
  }

  #inspect(pid: number): FoundProcess | undefined {
    const stat = readProc(pid, 'stat');
    // `pid (name) state parent group …`, and the name may be anything.
    const [state = 'X', , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // The process has ended, but its parent has not collected it.
    if (state === 'Z' || state === 'X') return undefined;
    const grouped = Number(group) === this.#leader;
    if (!grouped && !readProc(pid, 'environ').includes(`${FOLDER_VARIABLE}=${this.#folder}`))
      return undefined;
    const command = readProc(pid, 'cmdline')
      .split('\0')
      .filter((text) => text !== '');
    return { pid, grouped, command };
  }

  async #probe(): Promise<FoundProcess[]> {
    const leaderRuns = OWN_GROUP ? send(-this.#leader, 0) : !this.#leaderEnded && send(this.#leader, 0);
    const recorded = (await readProcesses(this.#folder)).filter(({ pid, ended }) => !ended && send(pid, 0));
    const found = recorded
      .filter(({ pid }) => pid !== this.#leader)
      // Their group is unknown. While the command's group exists, assume that they are in it.
      .map(({ pid, command }) => ({ pid, command, grouped: OWN_GROUP && leaderRuns }));
    const { command = [] } = recorded.find(({ pid }) => pid === this.#leader) ?? {};
    return leaderRuns ? [{ pid: this.#leader, command, grouped: true }, ...found] : found;
  }
}

/** @returns whether a process received the signal */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    // The process has just ended, or belongs to another user.
    return false;
  }
}

/**
 * Reads synchronously, because /proc is in memory and an asynchronous read takes longer. Empty if the process
 * is gone or belongs to another user.
 */
function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}
