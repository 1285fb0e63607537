/** Runs a Node program and records which functions of its modules it executes. */
import { collect } from './collect.ts';
import type { TrainedModule } from './trained-modules.ts';
import {
  describeProcess,
  type Exit,
  preloadScript,
  type RunOptions,
  runWithPreload,
} from './run-with-preload.ts';

export type TrainOptions = RunOptions;

export interface TrainResult {
  /** One entry for each module, ordered by name, with the functions that any process or thread executed. */
  modules: TrainedModule[];
  /** Whether the program loaded any module, recorded or not. */
  loaded: boolean;
  exit: Exit;
  /** Sentences about modules and processes that could not be recorded. */
  problems: string[];
}

/**
 * Runs a command and records which wasm functions its processes execute, if they run in Node and inherit its
 * environment. Processes that outlive the command by 5 s get SIGTERM, and are killed 10 s later.
 *
 * @param command an executable and its arguments
 * @throws WasmPrecompileError `TRAINING_FAILED` if the command cannot be started
 */
export async function train(command: readonly string[], options: TrainOptions = {}): Promise<TrainResult> {
  const { exit, collected, outlived, left } = await runWithPreload(command, collect, {
    ...options,
    preload: preloadScript('preload.cjs'),
    failure: { code: 'TRAINING_FAILED', example: 'wasm-precompile train -- node server.js' },
  });
  const { modules, loaded, problems } = collected;
  for (const entry of outlived) {
    problems.push(`${describeProcess(entry)} still ran 5 s after the command and was ended.`);
  }
  for (const entry of left) {
    problems.push(`${describeProcess(entry)} still runs: it could not be ended, and was not recorded.`);
  }
  return { modules, loaded, exit, problems };
}
