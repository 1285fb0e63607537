/** What several processes, or several runs, executed of the same modules, brought together. */
import type { ExecutedFunction } from '../v8/executed.ts';

/** A module that the program loaded. */
export interface TrainedModule {
  /** Of its file, of its name section or of its URL; else `module-` and the start of its hash. */
  name: string;
  /** How sure the name is: 0 is the surest. */
  nameRank: number;
  /** As `hashModule` gives it: equal for a stripped and an unstripped copy. */
  sha256: string;
  /** Wire bytes, as the program compiled them. */
  wire: Uint8Array;
  /** In the order of indices; empty where nothing of it ran. */
  executed: ExecutedFunction[];
  /** What V8 held of it at the end, for each V8 that ran it: of several processes or runs, from that which optimised most. */
  runs: RunCode[];
}

/** Native code as a run left it: lazy functions, baseline code, and code optimised for what the run saw. */
export interface RunCode {
  /** `process.versions.v8`. */
  v8: string;
  bytes: Uint8Array;
  /** SHA-256 of the wire bytes that it belongs to, hexadecimal. */
  wireSha256: string;
  /** The functions that the run itself found worth optimising. */
  optimised: ReadonlySet<number>;
}

/** @returns one for each SHA-256, with all that was executed in any of them, in the order of names */
export function uniteModules(modules: Iterable<TrainedModule>): TrainedModule[] {
  const united = new Map<string, TrainedModule>();
  for (const module of modules) {
    const other = united.get(module.sha256);
    united.set(module.sha256, other ? unite(other, module) : module);
  }
  return [...united.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** How many functions of all modules were executed. */
export function countExecuted(modules: readonly TrainedModule[]): number {
  return modules.reduce((sum, { executed }) => sum + executed.length, 0);
}

/** Equal where the same functions of the same modules were executed. */
export function identifyExecuted(modules: readonly TrainedModule[]): string {
  const lines = modules.map(
    ({ sha256, executed }) => `${sha256} ${executed.map(({ index }) => index).join(' ')}`,
  );
  return lines.toSorted().join('\n');
}

function unite(a: TrainedModule, b: TrainedModule): TrainedModule {
  // The surest; of several the first in the alphabet, so that it does not depend on which process was first.
  const [{ name, nameRank } = a] = [a, b].toSorted(
    (x, y) => x.nameRank - y.nameRank || (x.name < y.name ? -1 : 1),
  );
  return {
    name,
    nameRank,
    sha256: a.sha256,
    // The copy with names, where there are several.
    wire: b.wire.length > a.wire.length ? b.wire : a.wire,
    executed: uniteExecuted([...a.executed, ...b.executed]),
    runs: chooseRuns([...a.runs, ...b.runs]),
  };
}

function uniteExecuted(executed: readonly ExecutedFunction[]): ExecutedFunction[] {
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
