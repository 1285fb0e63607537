/** What became of training runs. */
import { messageOf } from '../common/error.ts';
import { createProfile } from '../profile/create.ts';
import type { Profile } from '../profile/profile.ts';
import type { Exit } from './run.ts';
import type { TrainedRun } from './repeat.ts';
import type { TrainResult } from './train.ts';

/** The profiles of what was recorded, and all that went wrong with it. */
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
 * Why a run is not to be trusted as a training, as a sentence; undefined where it is.
 *
 * @param recorded number of modules that were recorded
 */
export function describeFailure(
  command: readonly string[],
  { exit, loaded }: TrainResult,
  recorded: number,
): string | undefined {
  const text = command.join(' ');
  if (!exit.timedOut && (exit.signal === 'SIGKILL' || exit.signal === 'SIGABRT')) {
    return `${text} was ended by ${exit.signal}: what it executed cannot be recorded then.`;
  }
  const failure = describeExit(command, exit);
  if (failure !== undefined) return failure;
  if (!loaded) {
    return (
      `${text} loaded no WebAssembly module that could be seen. Recorded is what runs in Node with the environment ` +
      'of the command (NODE_OPTIONS), outside of vm contexts.'
    );
  }
  return recorded === 0 ? `Nothing of what ${text} executed could be recorded.` : undefined;
}

/** What a run has added to those before it; undefined for the first. */
export function describeAdded({ number, added }: TrainedRun): string | undefined {
  if (number === 1) return undefined;
  if (added === 0) return 'nothing new';
  return added === 1 ? '1 more function' : `${added} more functions`;
}

/** How a command did not end well, as a sentence; undefined where it did, or where it was interrupted. */
export function describeExit(command: readonly string[], exit: Exit): string | undefined {
  const text = command.join(' ');
  if (exit.timedOut) return `${text} took longer than its time limit and was ended.`;
  if (exit.interrupted) return undefined;
  if (exit.signal !== undefined) return `${text} was ended by ${exit.signal}.`;
  return exit.code === 0 ? undefined : `${text} failed with exit code ${exit.code}.`;
}
