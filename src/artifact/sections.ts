// The sections of an artifact: what is in each, who writes it, who reads it, what its offsets count from.
// All are written by `pack.ts` and read back by `unpack.ts`; readers beyond that are named below. An artifact is, in
// this order:
//
// 1. ELF header and program headers;
// 2. `.note.gnu.build-id`, `.note.wasm`;
// 3. `.wasm`, on a boundary of 64 KiB. Before native code, so that a file cut short loses native code first;
// 4. of a split module `.wasm.memory`, `.wasm.1`, `.wasm.2` …, `.wasm.full`, each on a boundary of 64 KiB;
// 5. one `.text.<engine>` per target, then `.text.1.<engine>` … of a split module, each on a boundary of 64 KiB;
// 6. `.wasm.interface`, `.wasm.plan`, `.wasm.profile`, `.comment`, `.symtab`, `.strtab`, `.shstrtab`, section headers.
//
// `.symtab` has local symbols for what is in native code (`symbols.ts` says which). Their values are addresses, which
// in an artifact are offsets in the file; in an object they count from the start of the section that they are in.

import type { NativeCode } from './contents.ts';
import { WasmPrecompileError } from '../common/error.ts';

/**
 * One note, owner `GNU`, type NT_GNU_BUILD_ID: the first 20 bytes of the SHA-256 over the whole file with these
 * 20 bytes as zeros. The runtime compares it with the one in the glue code, so that a half-deployed build is noticed;
 * `file`, `readelf -n` and debuggers show it. In an object it has the flag SHF_EXCLUDE: the id is that of the object
 * and must not become that of the program that the object is linked into.
 */
export const SECTION_BUILD_ID = '.note.gnu.build-id';

/**
 * Two notes with owner `wasm` (`notes.ts`): the format version, then JSON that says what the segments are. Readers
 * look at the version before anything else in the file. It refers to segments by section name and has no offsets.
 */
export const SECTION_NOTE_WASM = '.note.wasm';

/**
 * The wire bytes, from the first byte of the wasm magic to the last byte of the module. A segment of its own: the
 * runtime maps it by the offset in the glue code's map, and a browser may fetch it as a range. Offsets that wasm tools
 * give for this module count from the start of this section. Of a split module it is the primary. In artifacts for browsers
 * it may have SHF_COMPRESSED: then it is no segment, and stands first of what is not loaded; the browser fetches the file and
 * inflates this section (`web.delivery: 'inflate'`).
 */
export const SECTION_WASM = '.wasm';

/**
 * The memory of a split module, where the primary imports it (runtime/node/split/memory.ts): the runtime maps it at each instantiation. Next
 * to the primary, since a start needs both.
 */
export const SECTION_MEMORY = '.wasm.memory';

/** A secondary of a split module, by its number: a module that the runtime maps at the first call of a function in it. */
export function secondarySection(part: number): string {
  return `${SECTION_WASM}.${part}`;
}

/** How a split module is put together again (runtime/shared/reassembly-plan.ts): for recording, and for who posts the module to another thread. */
export const SECTION_PLAN = '.wasm.plan';

/**
 * Where the primary lacks the bodies that native code has (wasm/split/split.ts): how it is put together with those of the last
 * secondary, in the same form. For who compiles it: so before native code, like all that is compiled where that is missing.
 */
export const SECTION_FULL = '.wasm.full';

/**
 * What the names of native code sections start with; what follows names the engine (`nameNativeSections`). Each holds
 * native code for one target byte for byte as the engine wrote it, or trimmed, and is a segment of its own: the
 * runtime maps the one whose engine key is that of the process. Function ranges count from its start. Executable by
 * its flags, so that disassemblers look into it, but mapped for reading only: engines copy and relocate it.
 */
export const SECTION_TEXT_PREFIX = '.text.';

/** For the native code of a secondary: what the section of the same target's other native code is named. */
export function secondaryNativeSection(part: number, section: string): string {
  return `${SECTION_TEXT_PREFIX}${part}.${section.slice(SECTION_TEXT_PREFIX.length)}`;
}

/** JSON: imports, exports and their types, as the wasm reader gives them. For the CLI and for generating types. */
export const SECTION_INTERFACE = '.wasm.interface';

/** The startup profile that native code was trimmed to (`profile/format.ts`), as text; only where there is one. */
export const SECTION_PROFILE = '.wasm.profile';

/** The producer with a NUL, as compilers leave it: shown by `readelf -p .comment`. */
export const SECTION_COMMENT = '.comment';

/** Empty, in objects only: tells the linker that this code needs no executable stack. Without it GNU ld warns. */
export const SECTION_GNU_STACK = '.note.GNU-stack';

/**
 * The section names of native code, in the order given: `.text.` and the version (`.text.v8-13.6.233.17`). Two embedders can
 * build the same V8 with different patches; the second one's section is then named after the full V8 version of its
 * engine key (`.text.v8-13.6.233.17-node.53`), which is what precedes the last four fields (platform, architecture,
 * CPU features, flag hash). Where that is taken too, for instance by one Node with two sets of flags, it is named after
 * the whole engine key. That of a secondary has its number before that (`.text.1.v8-13.6.233.17`).
 * @throws INVALID_ARTIFACT if one engine key comes twice, or a name could not be made unique
 */
export function nameNativeSections(native: readonly Pick<NativeCode, 'engine' | 'version'>[]): string[] {
  const engines = new Set<string>();
  const names = new Set<string>();
  for (const { engine, version } of native) {
    if (engines.has(engine)) {
      throw new WasmPrecompileError(
        'INVALID_ARTIFACT',
        `There is native code for the engine key ${engine} twice. Name each target once.`,
      );
    }
    engines.add(engine);
    const fullVersion = engine.split('-').slice(0, -4).join('-');
    const candidates = [version, fullVersion, engine].filter((candidate) => candidate !== '');
    const name = candidates
      .map((candidate) => `${SECTION_TEXT_PREFIX}${candidate}`)
      .find((candidate) => !names.has(candidate));
    if (name === undefined) {
      throw new WasmPrecompileError(
        'INVALID_ARTIFACT',
        `No unique section name for the engine key ${engine}.`,
      );
    }
    names.add(name);
  }
  return [...names];
}
