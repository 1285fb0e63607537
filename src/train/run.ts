/** Runs a program with a preload script in all its processes that run in Node, and gives what they wrote into a folder. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { type ErrorCode, WasmPrecompileError } from '../common/error.ts';
import { FOLDER_VARIABLE } from '../recorder/folder.ts';
import { Ending } from './ending.ts';
import { OWN_GROUP, Processes, type RunningProcess } from './processes.ts';

export interface RunOptions {
  /** Default: that of this process. */
  cwd?: string | undefined;
  /** Variables on top of those of this process. */
  env?: Readonly<Record<string, string>> | undefined;
  /** Milliseconds until all that runs is asked to end (SIGTERM); it is killed 10 s later. Default: none. */
  timeLimit?: number | undefined;
  /**
   * Where the command's output goes: to that of this process (the default), all to its standard error, or to a function.
   */
  output?: 'inherit' | 'stderr' | ((text: string) => void) | undefined;
  /** Asks all that runs to end early, and kills it 10 s later. Its reason is the name of the signal to send. */
  interrupt?: AbortSignal | undefined;
  /** Kills all that runs. */
  kill?: AbortSignal | undefined;
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

/** What is known of a run when all of it has ended. */
export interface Run<Collected> {
  exit: Exit;
  collected: Collected;
  /** What had to be ended after the command. */
  outlived: readonly RunningProcess[];
  /** What could not be ended. */
  left: readonly RunningProcess[];
}

/**
 * Runs a command. Nothing that it started is left at the end: what outlives the command by 5 s is asked to end (SIGTERM), and
 * killed 10 s later.
 *
 * @param command an executable and its arguments
 * @param collect reads the folder that the preload scripts have written to, which is gone afterwards
 * @param setup where the preload script is, and how the command runs
 * @throws WasmPrecompileError with the code of `failure` where the command cannot be started
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
    // A process that still runs may be writing; what cannot be deleted stays with the temporary files.
    await rm(folder, { recursive: true, force: true, maxRetries: 5 }).catch(() => {});
  }
}

/** For messages. */
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
    // What follows ends all of it, and execa would end the command alone.
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
        `After \`--\` comes a command as in a shell: \`${failure.example}\`.`,
    );
  }
  const processes = new Processes(folder, pid);
  const ending = new Ending(processes);
  child.once('exit', () => {
    processes.leaderEnded();
    // What the command itself started may live on and hold its output open: nothing to wait for.
    setTimeout(() => [child.stdout, child.stderr].map((pipe) => pipe?.destroy()), 100).unref();
  });

  let timedOut = false;
  const limit =
    timeLimit === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          ending.stop('SIGTERM');
        }, timeLimit);
  const stopListening = [
    onAbort(interrupt, (reason) => ending.stop(reason as NodeJS.Signals)),
    onAbort(kill, () => ending.kill()),
    onExit(() => processes.killNow()),
  ];
  try {
    const { exitCode, signal } = await child;
    clearTimeout(limit);
    const rest = await ending.finish();
    const interrupted = interrupt?.aborted === true;
    return { exit: { code: exitCode, signal, timedOut, interrupted }, ...rest };
  } finally {
    clearTimeout(limit);
    for (const stop of stopListening) stop();
  }
}

/** Calls a listener when it is aborted, or has been. @returns ends that */
function onAbort(signal: AbortSignal | undefined, listener: (reason: unknown) => void): () => void {
  const call = () => listener(signal?.reason);
  if (signal?.aborted) call();
  signal?.addEventListener('abort', call, { once: true });
  return () => signal?.removeEventListener('abort', call);
}

/** Calls a listener when this process ends, unless by a signal that nobody listens to. @returns ends that */
function onExit(listener: () => void): () => void {
  process.once('exit', listener);
  return () => process.removeListener('exit', listener);
}

/** The user's options stay; node takes paths with spaces in quotes, where a backslash escapes. */
function withPreload(own: string | undefined, script: string): string {
  const preload = `--require=${JSON.stringify(script)}`;
  return own === undefined || own.trim() === '' ? preload : `${own} ${preload}`;
}
