/** Runs a program with a preload script in all its Node processes, and collects what they write into a folder. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { type ErrorCode, WasmPrecompileError } from '../common/error.ts';
import { FOLDER_VARIABLE } from '../recorder/record-folder.ts';
import { Termination } from './termination.ts';
import { OWN_GROUP, Processes, type RunningProcess } from './processes.ts';

export interface RunOptions {
  /** Default: the working directory of this process. */
  cwd?: string | undefined;
  /** Variables in addition to those of this process. */
  env?: Readonly<Record<string, string>> | undefined;
  /** Milliseconds until all processes get SIGTERM; they are killed 10 s later. Default: no limit. */
  timeLimit?: number | undefined;
  /**
   * Destination of the command's output: that of this process (default), its standard error, or a function.
   */
  output?: 'inherit' | 'stderr' | ((text: string) => void) | undefined;
  /** Sends a signal to all processes, and kills them 10 s later. The abort reason is the signal's name. */
  interrupt?: AbortSignal | undefined;
  /** Kills all processes. */
  kill?: AbortSignal | undefined;
}

/** How a command ended. */
export interface Exit {
  /** Exit code; undefined if a signal ended the command. */
  code: number | undefined;
  signal: string | undefined;
  timedOut: boolean;
  /** Whether it ended because of `interrupt`. */
  interrupted: boolean;
}

export interface Preload {
  /** Path of a CommonJS file. */
  preload: string;
  /** Code of the error if the command cannot be started, and an example for its message. */
  failure: { code: ErrorCode; example: string };
}

type Setup = RunOptions & Preload;

/** Returns the path of a preload script by its file name. The scripts exist only in a build. */
export function preloadScript(name: string): string {
  return fileURLToPath(new URL(`../../dist/recorder/${name}`, import.meta.url));
}

/** The result of a run after all its processes have ended. */
export interface Run<Collected> {
  exit: Exit;
  collected: Collected;
  /** Processes that were ended because they outlived the command. */
  outlived: readonly RunningProcess[];
  /** Processes that could not be ended. */
  left: readonly RunningProcess[];
}

/**
 * Runs a command, and ends all processes that it started: those that outlive it by 5 s get SIGTERM, and are killed 10 s
 * later.
 *
 * @param command an executable and its arguments
 * @param collect reads the folder of the preload scripts, which is deleted afterwards
 * @param setup the preload script, and how to run the command
 * @throws WasmPrecompileError with the code of `failure` if the command cannot be started
 */
export async function runWithPreload<Collected>(
  command: readonly string[],
  collect: (folder: string) => Promise<Collected>,
  setup: Setup,
): Promise<Run<Collected>> {
  const folder = await mkdtemp(join(tmpdir(), 'wasm-precompile-run-'));
  try {
    const ended = await run(command, folder, setup);
    return { ...ended, collected: await collect(folder) };
  } finally {
    // A process that still runs may be writing. Files that cannot be deleted stay in the temporary folder.
    await rm(folder, { recursive: true, force: true, maxRetries: 5 }).catch(() => {});
  }
}

/** Describes a process for messages. */
export function describeProcess({ pid, command }: RunningProcess): string {
  return `Process ${pid} (${command.join(' ')})`;
}

async function run(
  [executable = '', ...args]: readonly string[],
  folder: string,
  { cwd, env, timeLimit, output = 'inherit', interrupt, kill, preload, failure }: Setup,
): Promise<Omit<Run<unknown>, 'collected'>> {
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
    // `Termination` ends all processes; execa would end only the command.
    detached: OWN_GROUP,
    cleanup: false,
  });
  if (typeof output === 'function') {
    child.stdout?.setEncoding('utf8').on('data', output);
    child.stderr?.setEncoding('utf8').on('data', output);
  }
  const { pid } = child;
  if (pid === undefined) {
    const { originalMessage, shortMessage } = await child;
    throw new WasmPrecompileError(
      failure.code,
      `${executable} cannot be started: ${originalMessage ?? shortMessage ?? 'unknown error'}. ` +
        `Give a command after \`--\` as in a shell: \`${failure.example}\`.`,
    );
  }
  const processes = new Processes(folder, pid);
  const termination = new Termination(processes);
  child.once('exit', () => {
    processes.leaderEnded();
    // Other processes of the command may keep its output open after it ended.
    setTimeout(() => [child.stdout, child.stderr].map((pipe) => pipe?.destroy()), 100).unref();
  });

  let timedOut = false;
  const limit =
    timeLimit === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          termination.stop('SIGTERM');
        }, timeLimit);
  const stopListening = [
    onAbort(interrupt, (reason) => termination.stop(reason as NodeJS.Signals)),
    onAbort(kill, () => termination.kill()),
    onExit(() => processes.killNow()),
  ];
  try {
    const { exitCode, signal } = await child;
    clearTimeout(limit);
    const rest = await termination.finish();
    const interrupted = interrupt?.aborted === true;
    return { exit: { code: exitCode, signal, timedOut, interrupted }, ...rest };
  } finally {
    clearTimeout(limit);
    for (const stop of stopListening) stop();
  }
}

/** Calls a listener when the signal is aborted, also if it already is. @returns removes the listener */
function onAbort(signal: AbortSignal | undefined, listener: (reason: unknown) => void): () => void {
  const call = () => listener(signal?.reason);
  if (signal?.aborted) call();
  signal?.addEventListener('abort', call, { once: true });
  return () => signal?.removeEventListener('abort', call);
}

/** Calls a listener when this process exits; not for a signal without a handler. @returns removes the listener */
function onExit(listener: () => void): () => void {
  process.once('exit', listener);
  return () => process.removeListener('exit', listener);
}

/** Keeps the user's options. Node accepts paths with spaces in quotes, in which a backslash escapes. */
function withPreload(own: string | undefined, script: string): string {
  const preload = `--require=${JSON.stringify(script)}`;
  return own === undefined || own.trim() === '' ? preload : `${own} ${preload}`;
}
