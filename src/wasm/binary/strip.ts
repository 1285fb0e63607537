import { SectionId, readSections } from './sections.ts';

/** Which custom sections to remove: none, those for debuggers and linkers, or all that do not affect execution. */
export type StripMode = false | 'debug' | 'all';

/** Sections that only debuggers, linkers and statistics read. */
const DEBUG: ReadonlySet<string> = new Set([
  'producers',
  'sourceMappingURL',
  'external_debug_info',
  'linking',
]);
const DEBUG_PREFIXES = ['.debug_', 'reloc.'];

/**
 * Sections that affect execution, and so stay. Engines read compiler hints from `metadata.code.*`
 * (https://github.com/WebAssembly/tool-conventions/blob/main/CodeMetadata.md; V8 reads branch hints and
 * others). Older versions of V8 read `compilationHints` instead. Emscripten's dynamic loader reads `dylink.0`,
 * formerly `dylink`, through `WebAssembly.Module.customSections`.
 */
const NEEDED: ReadonlySet<string> = new Set(['compilationHints', 'dylink.0', 'dylink']);
const NEEDED_PREFIXES = ['metadata.code.'];

/**
 * Removes custom sections. The other sections keep their order and bytes, so the module stays valid and its
 * indices keep their meaning. Two things change: `WebAssembly.Module.customSections` no longer returns the
 * removed sections, and with `'all'` stack traces show `wasm-function[17]` instead of a name.
 *
 * @param bytes wire bytes
 * @param mode `'debug'` removes DWARF (`.debug_*`), `producers`, `sourceMappingURL`, `external_debug_info`,
 *   `linking` and `reloc.*`; `'all'` every custom section but `metadata.code.*`, `compilationHints`, `dylink.0`
 *   and `dylink`; `false` none
 * @param file the name of the file, for messages
 * @returns new wire bytes, or `bytes` itself if there is nothing to remove
 * @throws WasmPrecompileError `INVALID_WASM` or `UNSUPPORTED_WASM`, as {@link readSections}
 */
export function stripCustomSections(bytes: Uint8Array, mode: StripMode, file?: string): Uint8Array {
  if (mode === false) return bytes;
  const isRemoved = mode === 'debug' ? isForDebugging : (name: string) => !isNeeded(name);
  const removed = readSections(bytes, file).sections.filter(
    ({ id, name }) => id === SectionId.Custom && isRemoved(name),
  );
  if (removed.length === 0) return bytes;
  const kept: Uint8Array[] = [];
  let from = 0;
  for (const { start, offset, size } of removed) {
    kept.push(bytes.subarray(from, start));
    from = offset + size;
  }
  kept.push(bytes.subarray(from));
  return concatenate(kept);
}

function isForDebugging(name: string): boolean {
  return DEBUG.has(name) || DEBUG_PREFIXES.some((prefix) => name.startsWith(prefix));
}

function isNeeded(name: string): boolean {
  return NEEDED.has(name) || NEEDED_PREFIXES.some((prefix) => name.startsWith(prefix));
}

function concatenate(chunks: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    joined.set(chunk, offset);
    offset += chunk.length;
  }
  return joined;
}
