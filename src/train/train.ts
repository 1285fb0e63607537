/** Runs a program, any that runs in Node, and finds which functions of its modules it executes. */
import { collect } from './collect.ts';
import type { TrainedModule } from './modules.ts';
import { describeProcess, type Exit, preloadScript, type RunOptions, runWithPreload } from './run.ts';

export type TrainOptions = RunOptions;

export interface TrainResult {
  /** In the order of names: one for each module, with all that any process or thread of the run executed of it. */
  modules: TrainedModule[];
  /** Whether the program loaded any module, recorded or not. */
  loaded: boolean;
  exit: Exit;
  /** Sentences about what could not be recorded. */
  problems: string[];
}

/**
 * Runs a command and records what its processes execute of WebAssembly: all that run in Node and inherit its
 * environment. None of them is left at the end: what outlives the command by 5 s is asked to end (SIGTERM), and killed
 * 10 s later.
 *
 * @param command an executable and its arguments
 * @throws WasmPrecompileError `TRAINING_FAILED` where the command cannot be started
 */
export async function train(command: readonly string[], options: TrainOptions = {}): Promise<TrainResult> {
  const { exit, collected, outlived, left } = await runWithPreload(command, collect, {
    ...options,
    preload: preloadScript('preload.cjs'),
    failure: { code: 'TRAINING_FAILED', example: 'wasm-precompile train -- node server.js' },
  });
  const { modules, loaded, problems } = collected;
  for (const entry of outlived) {
    problems.push(`${describeProcess(entry)} still ran 5 s after the command, and was ended.`);
  }
  for (const entry of left) {
    problems.push(`${describeProcess(entry)} still runs: it cannot be ended, and was not recorded.`);
  }
  return { modules, loaded, exit, problems };
}
