/** Finds functions of one build of a module in another one. */
import type { ModuleFunction } from './module-functions.ts';
import type { ProfiledFunction } from './profile.ts';
import { stableName } from './stable-name.ts';

export interface FunctionPairs<Candidate> {
  /** The function that each wanted one was found to be. No candidate is in it twice. */
  pairs: Map<ProfiledFunction, Candidate>;
  /** How many of them were recognised by name. */
  byName: number;
  /** How many were recognised by nothing but their body. */
  byBody: number;
}

/** What two functions have in common if they are one. `undefined`: nothing to compare. */
type Likeness = (entry: ModuleFunction) => string | undefined;

const byName: Likeness = ({ name }) => name;
const byStableName: Likeness = ({ name }) => name && stableName(name);
const byBody: Likeness = ({ body }) => body;

/** The body has a fixed length. */
function andBody(likeness: Likeness): Likeness {
  return (entry) => {
    const key = likeness(entry);
    return key === undefined ? undefined : `${entry.body}${key}`;
  };
}

/** The surest first. */
const BY_NAME: readonly Likeness[] = [andBody(byName), byName, andBody(byStableName), byStableName];

/**
 * Pairs functions of two builds by likeness. A likeness counts only where it is unique on both sides among what was
 * not paired by a surer one: of two functions with one name, of which one kept its body, the other is found, too.
 */
export function matchFunctions<Candidate extends ModuleFunction>(
  wanted: readonly ProfiledFunction[],
  candidates: readonly Candidate[],
): FunctionPairs<Candidate> {
  const pairs = new Map<ProfiledFunction, Candidate>();
  const taken = new Set<Candidate>();
  const pairBy = (likeness: Likeness) => {
    const free = uniqueBy(
      candidates.filter((candidate) => !taken.has(candidate)),
      likeness,
    );
    const left = uniqueBy(
      wanted.filter((entry) => !pairs.has(entry)),
      likeness,
    );
    for (const [key, entry] of left) {
      const candidate = entry && free.get(key);
      if (!candidate) continue;
      pairs.set(entry, candidate);
      taken.add(candidate);
    }
  };
  for (const likeness of BY_NAME) pairBy(likeness);
  const named = pairs.size;
  pairBy(byBody);
  return { pairs, byName: named, byBody: pairs.size - named };
}

/** Functions by what is theirs alone; what several share leads to `undefined`. */
function uniqueBy<Entry extends ModuleFunction>(
  entries: readonly Entry[],
  likeness: Likeness,
): Map<string, Entry | undefined> {
  const unique = new Map<string, Entry | undefined>();
  for (const entry of entries) {
    const key = likeness(entry);
    if (key !== undefined) unique.set(key, unique.has(key) ? undefined : entry);
  }
  return unique;
}
