/** Merges what several processes or runs executed of the same modules. */
import type { ExecutedFunction } from '../v8/executed.ts';

/** A module that the program loaded. */
export interface TrainedModule {
  /** Name from its file, its name section or its URL; otherwise `module-` and the first digits of its hash. */
  name: string;
  /** How reliable the name is: 0 is the most reliable. */
  nameRank: number;
  /** Result of `hashModule`: the same for a stripped and an unstripped copy. */
  sha256: string;
  /** Wire bytes, as the program compiled them. */
  wire: Uint8Array;
  /** Ordered by index; empty if no function ran. */
  executed: ExecutedFunction[];
  /** Native code at the end of a run, one for each V8: from the process or run that optimised the most functions. */
  runs: RunCode[];
}

/**
 * Native code at the end of a run: lazy functions, baseline code, and code that V8 optimised with the run's
 * feedback.
 */
export interface RunCode {
  /** `process.versions.v8`. */
  v8: string;
  bytes: Uint8Array;
  /** SHA-256 of the wire bytes of the code, hexadecimal. */
  wireSha256: string;
  /** The functions that V8 optimised during the run. */
  optimised: ReadonlySet<number>;
}

/** @returns one module for each SHA-256, with the executed functions of all its copies, ordered by name */
export function mergeModules(modules: Iterable<TrainedModule>): TrainedModule[] {
  const merged = new Map<string, TrainedModule>();
  for (const module of modules) {
    const other = merged.get(module.sha256);
    merged.set(module.sha256, other ? mergeModule(other, module) : module);
  }
  return [...merged.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Returns how many functions of all modules were executed. */
export function countExecuted(modules: readonly TrainedModule[]): number {
  return modules.reduce((sum, { executed }) => sum + executed.length, 0);
}

/** Returns a string that is equal if the same functions of the same modules were executed. */
export function fingerprintExecuted(modules: readonly TrainedModule[]): string {
  const lines = modules.map(
    ({ sha256, executed }) => `${sha256} ${executed.map(({ index }) => index).join(' ')}`,
  );
  return lines.toSorted().join('\n');
}

function mergeModule(a: TrainedModule, b: TrainedModule): TrainedModule {
  // The most reliable name; of several, the first in alphabetical order, so that the order of processes does
  // not matter.
  const [{ name, nameRank } = a] = [a, b].toSorted(
    (x, y) => x.nameRank - y.nameRank || (x.name < y.name ? -1 : 1),
  );
  return {
    name,
    nameRank,
    sha256: a.sha256,
    // The longer copy has the names.
    wire: b.wire.length > a.wire.length ? b.wire : a.wire,
    executed: mergeExecuted([...a.executed, ...b.executed]),
    runs: chooseRuns([...a.runs, ...b.runs]),
  };
}

function mergeExecuted(executed: readonly ExecutedFunction[]): ExecutedFunction[] {
  const byIndex = new Map<number, ExecutedFunction>();
  for (const entry of executed) {
    const optimised = entry.optimised || byIndex.get(entry.index)?.optimised === true;
    byIndex.set(entry.index, { ...entry, optimised });
  }
  return [...byIndex.values()].toSorted((a, b) => a.index - b.index);
}

function chooseRuns(runs: readonly RunCode[]): RunCode[] {
  const chosen = new Map<string, RunCode>();
  for (const run of runs) {
    const other = chosen.get(run.v8);
    if (!other || other.optimised.size < run.optimised.size) chosen.set(run.v8, run);
  }
  return [...chosen.values()];
}
