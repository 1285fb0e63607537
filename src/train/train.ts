/** Runs a program, any that runs in Node, and finds which functions of its modules it executes. */
import { collect, type TrainedModule } from './collect.ts';
import { type Exit, preloadScript, type RunOptions, runWithPreload } from './run.ts';

export type { TrainedModule } from './collect.ts';

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
 * environment.
 *
 * @param command an executable and its arguments
 * @throws WasmPrecompileError `TRAINING_FAILED` where the command cannot be started
 */
export async function train(command: readonly string[], options: TrainOptions = {}): Promise<TrainResult> {
  const { exit, collected, still } = await runWithPreload(command, collect, {
    ...options,
    preload: preloadScript('preload.cjs'),
    failure: { code: 'TRAINING_FAILED', example: 'wasm-precompile train -- node server.js' },
  });
  const { modules, loaded, problems } = collected;
  for (const { pid, command: arguments_ } of still) {
    problems.push(
      `Process ${pid} (${arguments_.join(' ')}) still runs after the command: it was not recorded.`,
    );
  }
  return { modules, loaded, exit, problems };
}
