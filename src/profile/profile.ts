/**
 * The startup profile of a module: the functions that a training run executed.
 *
 * It is recorded by `wasm-precompile train`, kept as text beside the sources (`format.ts`), and at build time laid
 * over the module as it then is (`match.ts`), which may have been built anew since.
 */
export interface Profile {
  /** Base name of the module, for people and file names: `sql-wasm`. */
  name: string;
  /** SHA-256 (hex) of the module without its custom sections: equal for a stripped and an unstripped copy. */
  sha256: string;
  /** Functions that the module declares (for messages and for statistics). */
  functions: number;
  /** Functions that were executed, in ascending order of index. */
  executed: ProfiledFunction[];
}

export interface ProfiledFunction {
  /** In the function index space: imported functions count. */
  index: number;
  /** From the name section. */
  name: string | undefined;
  /** First 16 hex digits of the SHA-256 of the function's body in the code section. */
  body: string;
  /** Whether a run found it hot: the engine optimised it. */
  optimised: boolean;
}

/** The order of profiles in a file: by name, then by hash, the same on every machine. */
export function compareProfiles(a: Profile, b: Profile): number {
  return compare(a.name, b.name) || compare(a.sha256, b.sha256);
}

/** By code units, whatever the locale is. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
