/**
 * Names that link the modules of a split module: of the exports that the build adds to the primary, of the module
 * that secondaries import them from, and of what the primary imports from there. The build (src/wasm/split) uses the
 * same names.
 */
export const SPLIT = 'wasm-precompile';

/** The table that stubs call through. */
export const FUNCTIONS_EXPORT = `${SPLIT}:functions`;

/** A table with one slot for the function that loads a secondary, `(secondary: i32, function: i32) → ()`. */
export const HOOK_EXPORT = `${SPLIT}:hook`;

/** The import name of the primary's memory, if its contents are stored separately. */
export const MEMORY_IMPORT = 'memory';

/** The original start function, if the module has one: the runtime calls it after linking. */
export const START_EXPORT = `${SPLIT}:start`;

/** A mutable global, 1 until the secondary is loaded. */
export function absentExport(secondary: number): string {
  return `${SPLIT}:absent${secondary}`;
}
