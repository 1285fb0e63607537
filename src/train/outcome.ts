/** Describes the outcome of training runs. */
import { messageOf } from '../common/error.ts';
import { createProfile } from '../profile/create.ts';
import type { Profile } from '../profile/startup-profile.ts';
import type { Exit } from './run-with-preload.ts';
import type { TrainedRun } from './repeat.ts';
import type { TrainResult } from './train.ts';

/** Returns the profiles of the recorded modules, and all problems. */
export function makeProfiles({ modules, problems }: TrainResult): {
  profiles: Profile[];
  problems: string[];
} {
  const all = [...problems];
  const profiles = modules.flatMap(({ name, wire, executed }) => {
    try {
      return [createProfile(name, wire, executed)];
    } catch (error) {
      all.push(messageOf(error));
      return [];
    }
  });
  return { profiles, problems: all };
}

/**
 * Returns a sentence with the reason why a run cannot serve as a training run; undefined if it can.
 *
 * @param recorded number of recorded modules
 */
export function describeFailure(
  command: readonly string[],
  { exit, loaded }: TrainResult,
  recorded: number,
): string | undefined {
  const text = command.join(' ');
  if (!exit.timedOut && (exit.signal === 'SIGKILL' || exit.signal === 'SIGABRT')) {
    return `${text} was ended by ${exit.signal}, so the functions that it executed could not be recorded.`;
  }
  const failure = describeExit(command, exit);
  if (failure !== undefined) return failure;
  if (!loaded) {
    return (
      `${text} loaded no WebAssembly module that could be recorded. Modules are recorded if they run in Node with the ` +
      "command's environment (NODE_OPTIONS), outside of vm contexts."
    );
  }
  return recorded === 0 ? `None of the functions that ${text} executed could be recorded.` : undefined;
}

/** Describes what a run added to the runs before it; undefined for the first run. */
export function describeAdded({ number, added }: TrainedRun): string | undefined {
  if (number === 1) return undefined;
  if (added === 0) return 'nothing new';
  return added === 1 ? '1 more function' : `${added} more functions`;
}

/** Returns a sentence about how a command failed; undefined if it succeeded or was interrupted. */
export function describeExit(command: readonly string[], exit: Exit): string | undefined {
  const text = command.join(' ');
  if (exit.timedOut) return `${text} took longer than its time limit and was ended.`;
  if (exit.interrupted) return undefined;
  if (exit.signal !== undefined) return `${text} was ended by ${exit.signal}.`;
  return exit.code === 0 ? undefined : `${text} failed with exit code ${exit.code}.`;
}
