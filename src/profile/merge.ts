import { matchFunctions } from './match-functions.ts';
import { compareProfiles, type Profile, type ProfiledFunction } from './profile.ts';

/**
 * Brings profiles of the same modules together: of several training runs, or of copies of one module under several
 * names, of which the first in the alphabet stays. The result does not depend on the order of what is given.
 *
 * @returns one for each SHA-256, with what any of them executed, and optimised where it was so in any; sorted by name
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

/** One of them may come from a copy without names. */
function uniteFunctions(a: ProfiledFunction, b: ProfiledFunction): ProfiledFunction {
  const [name] = [a.name, b.name].filter((known) => known !== undefined).toSorted();
  return { ...a, name, optimised: a.optimised || b.optimised };
}

/** What changed from one profile to another. All lists are in ascending order of index. */
export interface ProfileDifference {
  /** Executed in the first only. */
  removed: ProfiledFunction[];
  /** Executed in the second only. */
  added: ProfiledFunction[];
  /** Executed in both, as each of them has it: the indices are equal where the modules are. */
  both: { before: ProfiledFunction; after: ProfiledFunction }[];
}

/** Compares two profiles: by index where they are of one module, else as `matchProfile` does, by names and bodies. */
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
