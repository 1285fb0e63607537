/** Finds the functions of one build of a module in another build. */
import type { ModuleFunction } from './module-functions.ts';
import type { ProfiledFunction } from './startup-profile.ts';
import { stableName } from './stable-name.ts';

export interface FunctionPairs<Candidate> {
  /** The candidate for each wanted function that was found. Each candidate occurs at most once. */
  pairs: Map<ProfiledFunction, Candidate>;
  /** How many were recognised by name. */
  byName: number;
  /** How many were recognised only by their body. */
  byBody: number;
}

/** Returns a key that is equal for two functions if they are the same. `undefined`: the function has no such key. */
type MatchKey = (entry: ModuleFunction) => string | undefined;

const byName: MatchKey = ({ name }) => name;
const byStableName: MatchKey = ({ name }) => name && stableName(name);
const byBody: MatchKey = ({ body }) => body;

/** Prefixes a key with the body's hash. The key stays unambiguous, since the hash has a fixed length. */
function andBody(matchKey: MatchKey): MatchKey {
  return (entry) => {
    const key = matchKey(entry);
    return key === undefined ? undefined : `${entry.body}${key}`;
  };
}

/** The most reliable key first. */
const BY_NAME: readonly MatchKey[] = [andBody(byName), byName, andBody(byStableName), byStableName];

/**
 * Pairs the functions of two builds by keys, the most reliable key first. A key pairs two functions only if it
 * is unique on both sides, among the functions that no earlier key has paired. So if two functions have one
 * name and one of them keeps its body, the other one is found, too.
 */
export function matchFunctions<Candidate extends ModuleFunction>(
  wanted: readonly ProfiledFunction[],
  candidates: readonly Candidate[],
): FunctionPairs<Candidate> {
  const pairs = new Map<ProfiledFunction, Candidate>();
  const taken = new Set<Candidate>();
  const pairBy = (matchKey: MatchKey) => {
    const free = uniqueBy(
      candidates.filter((candidate) => !taken.has(candidate)),
      matchKey,
    );
    const left = uniqueBy(
      wanted.filter((entry) => !pairs.has(entry)),
      matchKey,
    );
    for (const [key, entry] of left) {
      const candidate = entry && free.get(key);
      if (!candidate) continue;
      pairs.set(entry, candidate);
      taken.add(candidate);
    }
  };
  for (const matchKey of BY_NAME) pairBy(matchKey);
  const named = pairs.size;
  pairBy(byBody);
  return { pairs, byName: named, byBody: pairs.size - named };
}

/** Maps keys to functions. A key that several functions have maps to `undefined`. */
function uniqueBy<Entry extends ModuleFunction>(
  entries: readonly Entry[],
  matchKey: MatchKey,
): Map<string, Entry | undefined> {
  const unique = new Map<string, Entry | undefined>();
  for (const entry of entries) {
    const key = matchKey(entry);
    if (key !== undefined) unique.set(key, unique.has(key) ? undefined : entry);
  }
  return unique;
}
