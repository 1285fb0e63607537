/**
 * Runs a command several times, because programs do not execute exactly the same functions in each run: garbage
 * collectors and schedulers depend on time. A function that training has missed is compiled, or loaded, at its
 * first call.
 */
import { countExecuted, fingerprintExecuted, mergeModules } from './trained-modules.ts';
import { train, type TrainOptions, type TrainResult } from './train.ts';

/** Default number of runs, if the runs differ (docs/internals/decisions/training-in-a-build.md). */
const MOST_RUNS = 5;

/** Without a given number of runs, no run starts once all runs together took so many milliseconds. */
const BUDGET = 10_000;

/** A run, with the results of all runs before it. */
export interface TrainedRun {
  /** Counts from 1. */
  number: number;
  /** Number of functions that no earlier run executed. */
  added: number;
  /** Fingerprint of the functions that this run executed. */
  executed: string;
  /** Modules and problems of all runs so far, and how this run ended. */
  result: TrainResult;
}

export interface RepeatOptions extends TrainOptions {
  /**
   * Number of runs. Default: two, and five if those two did not execute exactly the same functions. No run
   * starts once the runs together took 10 s.
   */
  runs?: number | undefined;
  /** Milliseconds instead of the 10 s. */
  budget?: number | undefined;
  /** Wraps each run, to report it. */
  track?: ((number: number, run: () => Promise<TrainedRun>) => Promise<TrainedRun>) | undefined;
}

/**
 * Runs a command several times, one run after another. The runs stop after a run that failed or recorded no module, and
 * when `interrupt` is aborted.
 *
 * @param command an executable and its arguments
 * @returns the last run and the one before it; `stopped` is the error if a further run could not be started
 * @throws WasmPrecompileError `TRAINING_FAILED` if the command cannot be started the first time
 */
export async function trainRepeatedly(
  command: readonly string[],
  { runs, budget = BUDGET, track = (_, run) => run(), ...options }: RepeatOptions = {},
): Promise<{ last: TrainedRun; before: TrainedRun | undefined; stopped?: unknown }> {
  const start = performance.now();
  let before: TrainedRun | undefined;
  let last = await track(1, () => trainOnce(command, options));
  const isEnough = () =>
    runs === undefined
      ? last.number >= MOST_RUNS ||
        // Only the second run counts: if runs differ, a later run without new functions proves little.
        (last.number === 2 && last.executed === before?.executed) ||
        performance.now() - start > budget
      : last.number >= runs;
  while (succeeded(last) && options.interrupt?.aborted !== true && !isEnough()) {
    const earlier = last;
    try {
      // Sequential, because a run may depend on files that the run before it has left.
      // oxlint-disable-next-line no-await-in-loop
      last = await track(earlier.number + 1, () => trainOnce(command, options, earlier));
    } catch (stopped) {
      return { last, before, stopped };
    }
    before = earlier;
  }
  return { last, before };
}

async function trainOnce(
  command: readonly string[],
  options: TrainOptions,
  before?: TrainedRun,
): Promise<TrainedRun> {
  const result = await train(command, options);
  const executed = fingerprintExecuted(result.modules);
  if (!before) return { number: 1, added: countExecuted(result.modules), executed, result };
  const modules = mergeModules([...before.result.modules, ...result.modules]);
  return {
    number: before.number + 1,
    added: countExecuted(modules) - countExecuted(before.result.modules),
    executed,
    result: {
      modules,
      loaded: before.result.loaded || result.loaded,
      exit: result.exit,
      // The next run repeats the same problems with other process ids.
      problems: before.result.problems.length > 0 ? before.result.problems : result.problems,
    },
  };
}

function succeeded({ result: { exit, modules } }: TrainedRun): boolean {
  return exit.code === 0 && !exit.timedOut && !exit.interrupted && modules.length > 0;
}
