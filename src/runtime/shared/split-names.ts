/**
 * What the parts of a split module are linked by: the names of what the primary exports besides its own exports, of the
 * module that secondaries import it from, and of what the primary imports from there. Shared with what writes the parts (src/wasm/split).
 */
export const SPLIT = 'wasm-precompile';

/** The table that stubs call through. */
export const FUNCTIONS_EXPORT = `${SPLIT}:functions`;

/** A table with one slot: takes the function that brings in a part, `(part: i32, function: i32) → ()`. */
export const HOOK_EXPORT = `${SPLIT}:hook`;

/** What the primary imports its memory by, where that is apart. */
export const MEMORY_IMPORT = 'memory';

/** The function that the module would run at its instantiation, where it has one. */
export const START_EXPORT = `${SPLIT}:start`;

/** A mutable global, 1 until the part is there. */
export function absentExport(part: number): string {
  return `${SPLIT}:absent${part}`;
}
