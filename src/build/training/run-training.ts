/** Runs the training command of a build, and warns if it fails. */
import { messageOf, WasmPrecompileError } from '../../common/error.ts';
import type { Profile } from '../../profile/startup-profile.ts';
import { listenForInterruption } from '../../train/interruption.ts';
import type { RunCode, TrainedModule } from '../../train/trained-modules.ts';
import { describeAdded, describeFailure, makeProfiles } from '../../train/outcome.ts';
import { type RepeatOptions, trainRepeatedly } from '../../train/repeat.ts';
import type { TrainResult } from '../../train/train.ts';
import type { Progress } from '../compile/progress.ts';

export interface TrainingCommand {
  command: readonly string[];
  /** For each run, in milliseconds. */
  timeLimit: number;
  /** How often the command runs. Undefined: twice, or more often if the runs differ (`trainRepeatedly`). */
  runs: number | undefined;
  warn: (message: string) => void;
  progress: Progress;
}

/** The functions that the runs executed, and the native code that V8 had for them at the end. */
export interface Executed {
  modules: readonly TrainedModule[];
  profiles: Profile[];
  runs: RunCode[];
}

/** A message shows at most so many characters from the end of the command's output. */
const OUTPUT_LIMIT = 4000;

/** Returns undefined, with a warning, if the training failed. */
export async function runTraining({
  command,
  timeLimit,
  runs,
  warn,
  progress,
}: TrainingCommand): Promise<Executed | undefined> {
  const text = command.join(' ');
  /** The output of the current or last run. */
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
    // The interruption was meant for the build as well.
    interruption.raise();
    const { interrupted } = last.result.exit;
    const trained = makeProfiles(last.result);
    const failure = interrupted
      ? `${text} was interrupted.`
      : describeFailure(command, last.result, trained.profiles.length);
    const useEarlier = (number: number, why: string) =>
      warn(
        withPrinted(
          `Training, run ${number}: ${why} The functions that earlier runs executed are used. If the command ` +
            'cannot run several times, set `profile: { train, runs: 1 }`.',
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
  return { modules, profiles, runs: modules.flatMap(({ runs }) => runs) };
}
