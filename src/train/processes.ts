/** The processes of a training: the command, and whatever it has started. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { FOLDER_VARIABLE } from '../recorder/folder.ts';
import { readProcesses } from './collect.ts';

export interface RunningProcess {
  pid: number;
  command: readonly string[];
}

interface FoundProcess extends RunningProcess {
  /** Whether it is in the command's process group; a program may leave that. */
  grouped: boolean;
}

/**
 * Whether the command gets a process group of its own, so that a signal reaches all of it: shells and others do not pass
 * signals on to what they run. It is a session of its own, too, to which the terminal sends no Ctrl-C: we do.
 */
export const OWN_GROUP = process.platform !== 'win32';

/** Linux tells everything of each process; elsewhere we know the group, and the processes that record. */
const PROC = existsSync('/proc/self/environ');

export class Processes {
  readonly #folder: string;
  readonly #leader: number;
  #leaderEnded = false;

  /**
   * @param folder what they record into
   * @param leader the command's process
   */
  constructor(folder: string, leader: number) {
    this.#folder = folder;
    this.#leader = leader;
  }

  /** The command has ended, and its number may soon be that of another process. */
  leaderEnded(): void {
    this.#leaderEnded = true;
  }

  /** Those that have not ended. */
  running(): Promise<readonly RunningProcess[]> {
    return this.#find();
  }

  /** Sends a signal to all that run, to each once: the second one of a kind is often taken for impatience. */
  async signal(signal: NodeJS.Signals): Promise<void> {
    // A console sends it to all that run in it, and anything else that we could do ends a process without a chance to record.
    if (signal === 'SIGINT' && !OWN_GROUP) return;
    const found = await this.#find();
    if (OWN_GROUP && found.some(({ grouped }) => grouped)) send(-this.#leader, signal);
    for (const { pid, grouped } of found) if (!grouped || !OWN_GROUP) send(pid, signal);
  }

  /** For the last moment of this process, which cannot wait. */
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
    // It has ended, and perhaps nobody ever asks how.
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
      // Which group they are in is not known: as long as there is ours, they are taken to be in it.
      .map(({ pid, command }) => ({ pid, command, grouped: OWN_GROUP && leaderRuns }));
    const { command = [] } = recorded.find(({ pid }) => pid === this.#leader) ?? {};
    return leaderRuns ? [{ pid: this.#leader, command, grouped: true }, ...found] : found;
  }
}

/** @returns whether somebody received it */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    // It has just ended, or is not ours.
    return false;
  }
}

/**
 * Of the memory, not of a disk: waiting for it would take longer than reading. Empty where the process is gone, or
 * another user's.
 */
function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}
