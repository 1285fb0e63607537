import { SectionId, readSections } from './sections.ts';

/** Which custom sections leave the wire bytes: none, those for debuggers and linkers, or all but a few. */
export type StripMode = false | 'debug' | 'all';

/** What only debuggers, linkers and statistics read. */
const DEBUG: ReadonlySet<string> = new Set([
  'producers',
  'sourceMappingURL',
  'external_debug_info',
  'linking',
]);
const DEBUG_PREFIXES = ['.debug_', 'reloc.'];

/**
 * What makes a difference to how a module runs, and so stays. Engines read hints for their compilers from
 * `metadata.code.*` (https://github.com/WebAssembly/tool-conventions/blob/main/CodeMetadata.md; V8 branch hints
 * and more) and `compilationHints` (V8, before there were the former). Emscripten's dynamic loader reads
 * `dylink.0`, formerly `dylink`, through `WebAssembly.Module.customSections`.
 */
const NEEDED: ReadonlySet<string> = new Set(['compilationHints', 'dylink.0', 'dylink']);
const NEEDED_PREFIXES = ['metadata.code.'];

/**
 * Removes custom sections. The other sections keep their order and bytes, so that the module stays valid and
 * all its indices mean the same. Two things change: `WebAssembly.Module.customSections` no longer gives what was
 * removed, and with `'all'` stack traces say `wasm-function[17]` instead of a name.
 *
 * @param bytes wire bytes
 * @param mode `'debug'` removes DWARF (`.debug_*`), `producers`, `sourceMappingURL`, `external_debug_info`,
 *   `linking` and `reloc.*`; `'all'` every custom section but `metadata.code.*`, `compilationHints`, `dylink.0`
 *   and `dylink`; `false` none
 * @param file the name of the file, for messages
 * @returns new wire bytes, or `bytes` itself where there is nothing to remove
 * @throws WasmPrecompileError `INVALID_WASM` or `UNSUPPORTED_WASM`, as {@link readSections}
 */
export function stripCustomSections(bytes: Uint8Array, mode: StripMode, file?: string): Uint8Array {
  if (mode === false) return bytes;
  const leaves = mode === 'debug' ? isForDebugging : (name: string) => !isNeeded(name);
  const removed = readSections(bytes, file).sections.filter(
    ({ id, name }) => id === SectionId.Custom && leaves(name),
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

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
