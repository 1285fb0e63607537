/**
 * Several runs of one command: programs do not execute exactly the same functions at each run. What a garbage collector or a
 * scheduler does depends on time, and a function that one run has missed is compiled, or loaded, at its first call.
 */
import { countExecuted, identifyExecuted, uniteModules } from './modules.ts';
import { train, type TrainOptions, type TrainResult } from './train.ts';

/** How often a command is run where nobody has said how often, and runs differ (CONTRIBUTING, "Training in a build"). */
const MOST_RUNS = 5;

/** Milliseconds that all runs so far may have taken for another one to start where nobody has said how many. */
const BUDGET = 10_000;

/** A run, together with all before it. */
export interface TrainedRun {
  /** From 1. */
  number: number;
  /** How many functions it executed that none before it did. */
  added: number;
  /** What it executed itself, as `identifyExecuted` says it. */
  executed: string;
  /** What all of them executed and could not record, and how this one ended. */
  result: TrainResult;
}

export interface RepeatOptions extends TrainOptions {
  /**
   * How many runs. Default: two, and where these did not execute exactly the same, five; none begins once they took 10 s
   * together.
   */
  runs?: number | undefined;
  /** Milliseconds instead of these 10 s. */
  budget?: number | undefined;
  /** Wraps each run, to show it. */
  track?: ((number: number, run: () => Promise<TrainedRun>) => Promise<TrainedRun>) | undefined;
}

/**
 * Runs a command several times, one run after another. None follows one that did not end well, that recorded no module, or
 * after which `interrupt` is aborted.
 *
 * @param command an executable and its arguments
 * @returns the last run, and the one before it; and why there is not one more, where that could not be done
 * @throws WasmPrecompileError `TRAINING_FAILED` where the command cannot be started the first time
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
        // That a later one executes the same, or nothing new, says little where runs differ.
        (last.number === 2 && last.executed === before?.executed) ||
        performance.now() - start > budget
      : last.number >= runs;
  while (endedWell(last) && options.interrupt?.aborted !== true && !isEnough()) {
    const earlier = last;
    try {
      // What a run executes may depend on what the one before it has left.
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
  const executed = identifyExecuted(result.modules);
  if (!before) return { number: 1, added: countExecuted(result.modules), executed, result };
  const modules = uniteModules([...before.result.modules, ...result.modules]);
  return {
    number: before.number + 1,
    added: countExecuted(modules) - countExecuted(before.result.modules),
    executed,
    result: {
      modules,
      loaded: before.result.loaded || result.loaded,
      exit: result.exit,
      // The next run has the same ones, of processes with other numbers.
      problems: before.result.problems.length > 0 ? before.result.problems : result.problems,
    },
  };
}

function endedWell({ result: { exit, modules } }: TrainedRun): boolean {
  return exit.code === 0 && !exit.timedOut && !exit.interrupted && modules.length > 0;
}
