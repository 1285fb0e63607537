/** Runs the command that trains a build, and says what went wrong. */
import { messageOf, WasmPrecompileError } from '../../common/error.ts';
import type { Profile } from '../../profile/profile.ts';
import { listenForInterruption } from '../../train/interruption.ts';
import type { RunCode } from '../../train/modules.ts';
import { describeAdded, describeFailure, makeProfiles } from '../../train/outcome.ts';
import { type RepeatOptions, trainRepeatedly } from '../../train/repeat.ts';
import type { TrainResult } from '../../train/train.ts';
import type { Progress } from '../compile/progress.ts';

export interface TrainingCommand {
  command: readonly string[];
  /** Of each run, in milliseconds. */
  timeLimit: number;
  /** How often it is run. Undefined: twice, or more where runs differ, as `trainRepeatedly` says. */
  runs: number | undefined;
  warn: (message: string) => void;
  progress: Progress;
}

export interface Executed {
  profiles: Profile[];
  runs: RunCode[];
}

/** Characters of the command's output that a message shows: the last ones. */
const OUTPUT_LIMIT = 4000;

/** What the training executed; undefined, with a warning, where it failed. */
export async function runTraining({
  command,
  timeLimit,
  runs,
  warn,
  progress,
}: TrainingCommand): Promise<Executed | undefined> {
  const text = command.join(' ');
  /** Of the run that is going on, or was the last. */
  let printed = '';
  const withPrinted = (sentences: string) =>
    printed === '' ? sentences : `${sentences} The command printed:\n${printed}`;
  const failed = (sentence: string) =>
    warn(withPrinted(`Training failed: ${sentence} Native code holds all functions.`));
  const output = (more: string) => {
    printed = `${printed}${more}`.slice(-OUTPUT_LIMIT);
  };
  const track: RepeatOptions['track'] = (number, run) => {
    printed = '';
    const label = number === 1 ? `training: ${text}` : `training, run ${number}: ${text}`;
    return progress.track(label, run, describeAdded);
  };
  const interruption = listenForInterruption();
  try {
    const options = { timeLimit, runs, output, track, ...interruption.options };
    const { last, before, stopped } = await trainRepeatedly(command, options);
    interruption.stop();
    // It was meant for the build, too.
    interruption.raise();
    const { interrupted } = last.result.exit;
    const trained = makeProfiles(last.result);
    const failure = interrupted
      ? `${text} was interrupted.`
      : describeFailure(command, last.result, trained.profiles.length);
    const useEarlier = (number: number, why: string) =>
      warn(
        withPrinted(
          `Training, run ${number}: ${why} What was executed before that run is used. A command that cannot run ` +
            'several times: `profile: { train, runs: 1 }`.',
        ),
      );
    if (failure === undefined) {
      if (stopped !== undefined) useEarlier(last.number + 1, messageOf(stopped));
      return executedIn(last.result, trained, warn);
    }
    if (before) {
      useEarlier(last.number, failure);
      return executedIn(before.result, makeProfiles(before.result), warn);
    }
    if (!interrupted) for (const problem of trained.problems) warn(`Training: ${problem}`);
    failed(failure);
  } catch (error) {
    if (!(error instanceof WasmPrecompileError)) throw error;
    failed(error.message);
  } finally {
    interruption.stop();
  }
  return undefined;
}

function executedIn(
  { modules }: TrainResult,
  { profiles, problems }: ReturnType<typeof makeProfiles>,
  warn: (message: string) => void,
): Executed {
  for (const problem of problems) warn(`Training: ${problem}`);
  return { profiles, runs: modules.flatMap(({ runs }) => runs) };
}
