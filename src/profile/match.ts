import { WasmPrecompileError } from '../common/error.ts';
import { matchFunctions } from './match-functions.ts';
import { type ModuleFunctions, readModuleFunctions } from './module-functions.ts';
import type { Profile, ProfiledFunction } from './startup-profile.ts';

/** The result of matching a profile with a module. */
export interface ProfileMatch {
  /** The matched functions by index in the module. The profile's entry for each may have another index. */
  functions: ReadonlyMap<number, ProfiledFunction>;
  /** How many functions of the profile were found: the size of {@link functions}. */
  matched: number;
  /** How many functions the profile has. */
  total: number;
  /**
   * Whether the module is the recorded one, apart from custom sections, and every function has the index and
   * body in the profile.
   */
  exact: boolean;
  /**
   * If the module is the recorded one: how many functions do not have the index and body in the profile.
   * Recording never creates such a profile. It was edited, or merged with another one.
   */
  wrong: number;
  /** If it is another build of the module: how many functions were recognised by name. */
  byName: number;
  /** If it is another build of the module: how many functions were recognised only by their body. */
  byBody: number;
}

/**
 * Finds the functions of a profile in a module. In the recorded module it finds them by index, if the body
 * matches. In another build of the module it tries, in this order:
 *
 * 1. a unique name and the same body, then a unique name;
 * 2. the same without the parts of the name that change from build to build (stable-name.ts);
 * 3. a unique body. A body contains the indices of the functions it calls. So if a function was inserted, only
 *    functions without calls keep their bodies.
 *
 * No match can change a result of the program. A function that is not found is compiled at its first call. A
 * wrong match adds some bytes.
 *
 * @param wire wire bytes, preferably before names are stripped. Bytes that cannot be read match nothing: this
 *   never throws
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

/**
 * The share of matched functions below which a profile is foreign. Measured: at least 10 % between releases of
 * sql.js without names, at most 0.2 % between modules of different programs.
 */
const FOREIGN = 0.02;

/**
 * Returns whether a profile is of a different module, so that a build should ignore it. Such a profile does not
 * match exactly, and the module has less than one in fifty of its functions. (Many modules have some short
 * bodies and names such as `malloc` in common.) A profile without functions is foreign to every module but its
 * own.
 */
export function isForeign({ exact, matched, total }: ProfileMatch): boolean {
  return !exact && (total === 0 || matched < total * FOREIGN);
}

/**
 * Selects the profile of a module. A profile with the module's SHA-256 is selected whatever its name. Otherwise
 * it is the profile with the module's name that has the most functions in the module. That profile may be
 * foreign: see {@link isForeign}. Never throws, like {@link matchProfile}.
 *
 * @param profiles those that `readProfiles` returned
 * @param name base name of the module, without extension
 * @param wire wire bytes, preferably before names are stripped
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
