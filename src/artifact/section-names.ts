/**
 * The sections of an artifact: what is in each, who writes it, who reads it, and what its offsets count from.
 * `pack.ts` writes all of them and `unpack.ts` reads all of them; the paragraphs below name further readers. An
 * artifact consists of:
 *
 * 1. the ELF header and the program headers;
 * 2. `.note.gnu.build-id` and `.note.wasm`;
 * 3. `.wasm`, on a boundary of 64 KiB. It precedes native code, so that a truncated file loses native code first;
 * 4. for a split module `.wasm.memory`, `.wasm.1`, `.wasm.2` …, `.wasm.full`, each on a boundary of 64 KiB;
 * 5. `.text.<engine>` for each target, then `.text.1.<engine>` … for a split module, each on a boundary of 64 KiB;
 * 6. `.wasm.interface`, `.comment`, `.wasm.plan`, `.wasm.profile`, `.symtab`, `.strtab`, `.shstrtab` and the section
 *    headers.
 *
 * `.symtab` has local symbols for the contents of native code (native-symbols.ts lists them). In an artifact
 * their values are addresses, which equal offsets in the file. In an object they count from the start of their
 * section.
 */
import { WasmPrecompileError } from '../common/error.ts';
import type { NativeCode } from './contents.ts';

/**
 * One note with the owner `GNU` and the type NT_GNU_BUILD_ID. It has the first 20 bytes of the SHA-256 of the
 * whole file, computed with zeros for these 20 bytes. The runtime compares it with the build id in the
 * generated code, to detect a deployment that mixes two builds. `file`, `readelf -n` and debuggers print it. In
 * an object the section has the flag SHF_EXCLUDE: the id identifies the object, not the program that the object
 * is linked into.
 */
export const SECTION_BUILD_ID = '.note.gnu.build-id';

/**
 * Two notes with the owner `wasm` (wasm-notes.ts): the format version, then JSON that describes the segments.
 * Readers check the version before they read anything else. The JSON refers to segments by section name and has
 * no offsets.
 */
export const SECTION_NOTE_WASM = '.note.wasm';

/**
 * The wire bytes, from the first byte of the wasm magic to the last byte of the module; for a split module
 * those of the primary. The section is a segment of its own. The runtime maps it at the offset in the manifest,
 * and a browser may fetch it as a range. Offsets that wasm tools print for this module count from the start of
 * the section. In an artifact for browsers it may have the flag SHF_COMPRESSED. Then it is no segment, and the
 * first section that is not loaded: the browser fetches the file and inflates this section (`web.delivery:
 * 'inflate'`).
 */
export const SECTION_WASM = '.wasm';

/**
 * The memory of a split module, if the primary imports its memory: the size of the memory, then its contents.
 * Written by wasm/split/separate-memory.ts. The runtime maps it at each instantiation. It is next to the
 * primary, because startup needs both. Addresses in it count from the start of the wasm memory.
 */
export const SECTION_MEMORY = '.wasm.memory';

/**
 * The wire bytes of a secondary of a split module, by its number. The runtime maps them at the first call of a
 * function in the secondary. Offsets that wasm tools print for it count from the start of the section.
 */
export function secondarySection(module: number): string {
  return `${SECTION_WASM}.${module}`;
}

/**
 * The reassembly plan of a split module (runtime/shared/reassembly-plan.ts). The recorder reads it, and the
 * runtime when a program posts the module to another thread. Its offsets count from the start of each module,
 * and of the memory.
 */
export const SECTION_PLAN = '.wasm.plan';

/**
 * For a stubbed primary (wasm/split/write-stubbed-primary.ts): the plan that reassembles the full primary. It
 * has the form of `.wasm.plan`, and its pieces are the stubbed primary and the last secondary. The runtime
 * reads it if it has to compile the primary. It precedes native code, as everything does that is needed without
 * native code.
 */
export const SECTION_FULL = '.wasm.full';

/**
 * The prefix of the names of native code sections. The rest of a name is from the engine ({@link
 * nameNativeSections}). Each section has the native code of one target, byte for byte as the engine wrote it,
 * or trimmed. It is a segment of its own: the runtime maps the one with the engine key of the process. Function
 * ranges count from its start. Its flags mark it as executable, so that disassemblers read it. It is mapped for
 * reading only, because engines copy and relocate it.
 */
export const SECTION_TEXT_PREFIX = '.text.';

/**
 * The native code of a secondary for one target. V8 needs it to deserialize the secondary without validation.
 *
 * @param section the section with the primary's native code for the same target
 */
export function secondaryNativeSection(module: number, section: string): string {
  return `${SECTION_TEXT_PREFIX}${module}.${section.slice(SECTION_TEXT_PREFIX.length)}`;
}

/**
 * Imports, exports and their types as JSON, as the wasm reader returns them. The CLI and the type generator
 * read it.
 */
export const SECTION_INTERFACE = '.wasm.interface';

/**
 * The startup profile that the native code was trimmed to, as text (profile/profile-text.ts). Only if there is
 * one.
 */
export const SECTION_PROFILE = '.wasm.profile';

/** The producer and a NUL, in the form that compilers use. `readelf -p .comment` prints it. */
export const SECTION_COMMENT = '.comment';

/** An empty section, in objects only. The linker reads it as "needs no executable stack"; without it GNU ld warns. */
export const SECTION_GNU_STACK = '.note.GNU-stack';

/**
 * Returns the names of the native code sections, in the order given. A name is `.text.` and the first of these
 * that is not taken:
 *
 * 1. the version: `.text.v8-13.6.233.17`;
 * 2. the full V8 version: `.text.v8-13.6.233.17-node.53`. Two embedders can build the same V8 with different
 *    patches. The full version is the engine key without its last four fields (platform, architecture, CPU
 *    features, flag hash);
 * 3. the whole engine key, for example if one Node has native code for two sets of flags.
 *
 * @throws INVALID_ARTIFACT if two targets have one engine key, or no name is unique
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
        `No section name is unique for the engine key ${engine}. Build with fewer targets.`,
      );
    }
    names.add(name);
  }
  return [...names];
}
