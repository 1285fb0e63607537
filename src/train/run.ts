/** Runs a program with a preload script in all its processes that run in Node, and gives what they wrote into a folder. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { type ErrorCode, WasmPrecompileError } from '../error.ts';
import { FOLDER_VARIABLE } from '../recorder/folder.ts';
import { readProcesses } from './collect.ts';

export interface RunOptions {
  /** Default: that of this process. */
  cwd?: string | undefined;
  /** Variables on top of those of this process. */
  env?: Readonly<Record<string, string>> | undefined;
  /** Milliseconds until the command is asked to end (SIGTERM); it is killed 10 s later. Default: none. */
  timeLimit?: number | undefined;
  /**
   * Where the command's output goes: to that of this process (the default), all to its standard error, or to a function.
   */
  output?: 'inherit' | 'stderr' | ((text: string) => void) | undefined;
  /**
   * Ends the command early. Its reason says how: the name of a signal to send, or `received` where the command has
   * received one itself (the terminal sends Ctrl-C to both).
   */
  interrupt?: AbortSignal | undefined;
}

/** How a command ended. */
export interface Exit {
  /** Exit code; undefined where a signal ended the command. */
  code: number | undefined;
  signal: string | undefined;
  timedOut: boolean;
  /** Whether it ended because of `interrupt`. */
  interrupted: boolean;
}

export interface Preload {
  /** Path of a CommonJS file. */
  preload: string;
  /** What is said where the command cannot be started. */
  failure: { code: ErrorCode; example: string };
}

type Setup = RunOptions & Preload;

/** The path of a preload script, by the name of its file: only a build has them. */
export function preloadScript(name: string): string {
  return fileURLToPath(new URL(`../../dist/recorder/${name}`, import.meta.url));
}

/** Milliseconds between SIGTERM and SIGKILL. */
const KILL_DELAY = 10_000;

/** Milliseconds that processes which the command started have to end after it. */
const LINGER = 5_000;

/**
 * Runs a command; what it started has a few seconds more to end.
 *
 * @param command an executable and its arguments
 * @param collect reads the folder that the preload scripts have written to, which is gone afterwards
 * @param setup where the preload script is, and how the command runs
 * @returns also the processes that still run
 * @throws WasmPrecompileError with the code of `failure` where the command cannot be started
 */
export async function runWithPreload<Collected>(
  command: readonly string[],
  collect: (folder: string) => Promise<Collected>,
  setup: Setup,
): Promise<{ exit: Exit; collected: Collected; still: { pid: number; command: string[] }[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'wasm-precompile-run-'));
  try {
    const exit = await run(command, folder, setup);
    const still = await waitForProcesses(folder);
    return { exit, collected: await collect(folder), still };
  } finally {
    // A process that still runs may be writing; what cannot be deleted stays with the temporary files.
    await rm(folder, { recursive: true, force: true, maxRetries: 5 }).catch(() => {});
  }
}

async function run(
  [executable = '', ...args]: readonly string[],
  folder: string,
  { cwd, env, timeLimit, output = 'inherit', interrupt, preload, failure }: Setup,
): Promise<Exit> {
  const stream = typeof output === 'function' ? 'pipe' : output;
  const child = execa(executable, args, {
    ...(cwd !== undefined && { cwd }),
    env: {
      ...env,
      NODE_OPTIONS: withPreload(env?.['NODE_OPTIONS'] ?? process.env['NODE_OPTIONS'], preload),
      [FOLDER_VARIABLE]: folder,
    },
    stdin: 'inherit',
    stdout: stream === 'stderr' ? process.stderr : stream,
    stderr: stream === 'pipe' ? 'pipe' : 'inherit',
    buffer: false,
    reject: false,
  });
  if (typeof output === 'function') {
    child.stdout?.setEncoding('utf8').on('data', output);
    child.stderr?.setEncoding('utf8').on('data', output);
  }
  // What the command itself started may live on and hold its output open: nothing to wait for.
  child.once('exit', () =>
    setTimeout(() => [child.stdout, child.stderr].map((pipe) => pipe?.destroy()), 100).unref(),
  );

  let timedOut = false;
  let interrupted = false;
  let kill: NodeJS.Timeout | undefined;
  const send = (signal: NodeJS.Signals) => {
    child.kill(signal);
    void signalProcesses(folder, signal);
  };
  const stop = (signal: NodeJS.Signals) => {
    send(signal);
    kill ??= setTimeout(() => send('SIGKILL'), KILL_DELAY);
  };
  const limit =
    timeLimit === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          stop('SIGTERM');
        }, timeLimit);
  const onInterrupt = () => {
    interrupted = true;
    const signal = interrupt?.reason as NodeJS.Signals | 'received';
    if (signal !== 'received') stop(signal);
  };
  if (interrupt?.aborted) onInterrupt();
  interrupt?.addEventListener('abort', onInterrupt, { once: true });
  try {
    const { exitCode, signal, failed, originalMessage, shortMessage } = await child;
    if (failed && exitCode === undefined && signal === undefined) {
      throw new WasmPrecompileError(
        failure.code,
        `${executable} cannot be started: ${originalMessage ?? shortMessage ?? 'unknown error'}. ` +
          `After \`--\` comes a command as in a shell: \`${failure.example}\`.`,
      );
    }
    return { code: exitCode, signal, timedOut, interrupted };
  } finally {
    clearTimeout(limit);
    clearTimeout(kill);
    interrupt?.removeEventListener('abort', onInterrupt);
  }
}

/** The user's options stay; node takes paths with spaces in quotes, where a backslash escapes. */
function withPreload(own: string | undefined, script: string): string {
  const preload = `--require=${JSON.stringify(script)}`;
  return own === undefined || own.trim() === '' ? preload : `${own} ${preload}`;
}

/** Shells and others do not pass signals on to what they run. */
async function signalProcesses(folder: string, signal: NodeJS.Signals): Promise<void> {
  for (const { pid } of await runningProcesses(folder)) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has just ended.
    }
  }
}

/** Gives processes that the command started time to end. @returns those that did not */
async function waitForProcesses(folder: string): Promise<{ pid: number; command: string[] }[]> {
  for (let waited = 0; ; waited += 50) {
    const running = await runningProcesses(folder);
    if (running.length === 0 || waited >= LINGER) return running;
    await delay(50);
  }
}

async function runningProcesses(folder: string): Promise<{ pid: number; command: string[] }[]> {
  const processes = await readProcesses(folder);
  const running = await Promise.all(
    processes.map(async ({ pid, ended }) => !ended && (await isRunning(pid, folder))),
  );
  return processes.filter((_, index) => running[index]);
}

/** Whether a process is there, and not another one that has its number by now. */
async function isRunning(pid: number, folder: string): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const environment = `/proc/${pid}/environ`;
  if (!existsSync(environment)) return true;
  // Empty of a process that has ended and that nobody has waited for.
  return readFile(environment, 'latin1').then(
    (text) => text.includes(folder),
    () => false,
  );
}
