import { matchFunctions } from './match-functions.ts';
import { compareProfiles, type Profile, type ProfiledFunction } from './startup-profile.ts';

/**
 * Merges the profiles of each module: those of several training runs, or of copies of a module with several names. Of
 * several names the alphabetically first one stays. The order of the arguments makes no difference.
 *
 * @returns a profile for each SHA-256, sorted by name. It has a function if one of the profiles has it, and the
 *   function is optimised if it is optimised in one of them
 */
export function mergeProfiles(profiles: Iterable<Profile>): Profile[] {
  const merged = new Map<string, Profile>();
  for (const profile of [...profiles].toSorted(compareProfiles)) {
    const other = merged.get(profile.sha256);
    merged.set(profile.sha256, other ? unite(other, profile) : profile);
  }
  return [...merged.values()];
}

function unite(a: Profile, b: Profile): Profile {
  const functions = new Map(a.executed.map((entry) => [entry.index, entry]));
  for (const entry of b.executed) {
    const other = functions.get(entry.index);
    functions.set(entry.index, other ? uniteFunctions(other, entry) : entry);
  }
  return { ...a, executed: [...functions.values()].toSorted((x, y) => x.index - y.index) };
}

/** Keeps a name if one of the functions has none: it may be from a copy without names. */
function uniteFunctions(a: ProfiledFunction, b: ProfiledFunction): ProfiledFunction {
  const [name] = [a.name, b.name].filter((known) => known !== undefined).toSorted();
  return { ...a, name, optimised: a.optimised || b.optimised };
}

/** The differences between two profiles. All lists are in ascending order of index. */
export interface ProfileDifference {
  /** Functions that only the first profile has. */
  removed: ProfiledFunction[];
  /** Functions that only the second profile has. */
  added: ProfiledFunction[];
  /** Functions that both profiles have. Their indices are equal if the modules are. */
  both: { before: ProfiledFunction; after: ProfiledFunction }[];
}

/**
 * Compares two profiles: by index if they are of the same module, otherwise by names and bodies, as
 * `matchProfile` does.
 */
export function diffProfiles(before: Profile, after: Profile): ProfileDifference {
  const pairs =
    before.sha256 === after.sha256
      ? pairByIndex(before.executed, after.executed)
      : matchFunctions(before.executed, after.executed).pairs;
  const matched = new Set([...pairs.values()].map(({ index }) => index));
  return {
    removed: before.executed.filter((entry) => !pairs.has(entry)),
    added: after.executed.filter(({ index }) => !matched.has(index)),
    both: before.executed.flatMap((entry) => {
      const other = pairs.get(entry);
      return other ? [{ before: entry, after: other }] : [];
    }),
  };
}

function pairByIndex(before: readonly ProfiledFunction[], after: readonly ProfiledFunction[]) {
  const byIndex = new Map(after.map((entry) => [entry.index, entry]));
  const pairs = new Map<ProfiledFunction, ProfiledFunction>();
  for (const entry of before) {
    const other = byIndex.get(entry.index);
    if (other) pairs.set(entry, other);
  }
  return pairs;
}
