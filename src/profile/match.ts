import { WasmPrecompileError } from '../common/error.ts';
import { matchFunctions } from './match-functions.ts';
import { type ModuleFunctions, readModuleFunctions } from './module-functions.ts';
import type { Profile, ProfiledFunction } from './profile.ts';

/** A profile laid over a module. */
export interface ProfileMatch {
  /** The functions to keep, by index in the module: what the profile says of each, where its index may be another. */
  functions: ReadonlyMap<number, ProfiledFunction>;
  /** How many functions of the profile were found: the size of {@link functions}. */
  matched: number;
  /** How many functions the profile has. */
  total: number;
  /**
   * Whether it is the very module that the profile was recorded with, custom sections aside, and each function is what
   * the profile says of it.
   */
  exact: boolean;
  /**
   * Of that very module: how many functions it does not have as the profile says, with this index and body. No recording
   * gives such a profile: somebody has changed it, or merged what does not belong together.
   */
  wrong: number;
  /** Of another build: how many were recognised by name. */
  byName: number;
  /** Of another build: how many were recognised by nothing but their body. */
  byBody: number;
}

/**
 * Finds the functions of a profile in a module. In the very module that was recorded they are found by index, as long
 * as the body is what the profile says; in another build of it by a name that is unique, first where the body is equal,
 * too; then by a unique name without what compilers change in it at each build; then by a unique body. (A body contains the indices of what it calls, so
 * where a function was inserted, only those that call nothing keep theirs.) What is not found is compiled at its first
 * call, and a function that was taken for another costs some bytes: no match can change a result.
 *
 * @param wire wire bytes, best before names were stripped. Bytes that cannot be read match nothing: never throws
 */
export function matchProfile(profile: Profile, wire: Uint8Array): ProfileMatch {
  const module = tryRead(wire);
  return module ? matchModule(profile, module) : { ...NOTHING, total: profile.executed.length };
}

const NOTHING = {
  functions: new Map<number, never>(),
  matched: 0,
  exact: false,
  wrong: 0,
  byName: 0,
  byBody: 0,
};

function tryRead(wire: Uint8Array): ModuleFunctions | undefined {
  try {
    return readModuleFunctions(wire);
  } catch (error) {
    if (error instanceof WasmPrecompileError) return undefined;
    throw error;
  }
}

function matchModule(profile: Profile, module: ModuleFunctions): ProfileMatch {
  const total = profile.executed.length;
  const same = profile.sha256 === module.sha256;
  const inPlace = new Set(same ? profile.executed.filter((entry) => isInPlace(entry, module)) : []);
  const functions = new Map([...inPlace].map((entry) => [entry.index, entry]));
  const left = profile.executed.filter((entry) => !inPlace.has(entry));
  const counts = { exact: same && left.length === 0, wrong: same ? left.length : 0, byName: 0, byBody: 0 };
  if (left.length > 0) {
    const candidates = module.all().filter(({ index }) => !functions.has(index));
    const { pairs, byName, byBody } = matchFunctions(left, candidates);
    for (const [entry, { index }] of pairs) functions.set(index, entry);
    Object.assign(counts, { byName, byBody });
  }
  return { functions, matched: functions.size, total, ...counts };
}

function isInPlace({ index, body }: ProfiledFunction, module: ModuleFunctions): boolean {
  return module.at(index)?.body === body;
}

/** Measured: 10 % and more between releases of sql.js without names, at most 0.2 % between modules of different programs. */
const FOREIGN = 0.02;

/**
 * Whether a profile is of a wholly different module, and better left aside: it was not recorded with this one, or does
 * not say what was, and of its functions not one in fifty is in it. (A few short bodies, and names such as `malloc`, are in many modules.)
 * A profile without functions says nothing of a module other than its own.
 */
export function isForeign({ exact, matched, total }: ProfileMatch): boolean {
  return !exact && (total === 0 || matched < total * FOREIGN);
}

/**
 * Picks the profile of a module: that of the very module (equal SHA-256), whatever its name; else, of those with its
 * name, the one of which most functions are found. That one may still be foreign: see {@link isForeign}.
 *
 * @param profiles as `readProfiles` gives them
 * @param name base name of the module, without extension
 * @param wire wire bytes, best before names were stripped; never throws, as {@link matchProfile}
 */
export function findProfile(
  profiles: readonly Profile[],
  name: string,
  wire: Uint8Array,
): { profile: Profile; match: ProfileMatch } | undefined {
  const module = tryRead(wire);
  if (!module) return undefined;
  const own = profiles.find(({ sha256 }) => sha256 === module.sha256);
  const candidates = own ? [own] : profiles.filter((profile) => profile.name === name);
  return candidates
    .map((profile) => ({ profile, match: matchModule(profile, module) }))
    .toSorted((a, b) => b.match.matched - a.match.matched)
    .at(0);
}
