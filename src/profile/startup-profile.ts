/**
 * The startup profile of a module: the functions that a training run executed.
 *
 * `wasm-precompile train` records it. The project keeps it as text beside the sources (profile-text.ts). A
 * build matches it with the current module (match.ts), which may differ from the recorded one.
 */
export interface Profile {
  /** Base name of the module, for messages and file names: `sql-wasm`. */
  name: string;
  /** SHA-256 (hex) of the module without custom sections. It is the same for a stripped copy. */
  sha256: string;
  /** How many functions the module declares, for messages and statistics. */
  functions: number;
  /** The executed functions, in ascending order of index. */
  executed: ProfiledFunction[];
}

export interface ProfiledFunction {
  /** Index in the function index space, which includes imported functions. */
  index: number;
  /** The name in the name section. */
  name: string | undefined;
  /** The first 16 hex digits of the SHA-256 of the function's body in the code section. */
  body: string;
  /** Whether the engine optimised it in a run. */
  optimised: boolean;
}

/** Compares profiles by name, then by hash: the order in a file. It is the same on every machine. */
export function compareProfiles(a: Profile, b: Profile): number {
  return compare(a.name, b.name) || compare(a.sha256, b.sha256);
}

/** Compares by code units, independent of the locale. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
