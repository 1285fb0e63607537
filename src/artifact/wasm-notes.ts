/**
 * The contents of `.note.wasm`: two notes with the owner `wasm`.
 *
 * 1. Type NT_WASM_FORMAT_VERSION: a u32, the format version. It changes if a reader of the old version would
 *    misread the file. It is first, so that readers check it before they read anything else.
 * 2. Type NT_WASM_DESCRIPTION: JSON in UTF-8, {@link Description}.
 */
import { WasmPrecompileError, messageOf } from '../common/error.ts';
import { Cursor } from '../elf/cursor.ts';
import { type ElfNote, encodeNotes } from '../elf/notes.ts';
import type { CpuRequirements } from '../runtime/shared/manifest.ts';
import type { NativeStatistics } from './contents.ts';

export const FORMAT_VERSION = 1;
export const NOTE_OWNER = 'wasm';
export const NT_WASM_FORMAT_VERSION = 1;
export const NT_WASM_DESCRIPTION = 2;

export interface Description {
  producer: string;
  /** Base name of the module without extension. */
  name: string;
  /** The hash of the source file before stripping. */
  source: { sha256: string };
  wire: SegmentDescription;
  native: NativeDescription[];
  /** For a split module. `wire` is then its primary. */
  split?: SplitDescription;
}

export interface SplitDescription {
  /**
   * The secondaries in the order of their numbers. `native` has an entry for each target, null without native
   * code.
   */
  secondaries: { wire: SegmentDescription; native: (SegmentDescription | null)[] }[];
  memory?: SegmentDescription;
  full?: SegmentDescription;
  plan: SegmentDescription;
}

/** A segment. Its offset and size are only in the section header. */
export interface SegmentDescription {
  /** Section name. */
  section: string;
  /** CRC-32 of the section's contents, as `zlib.crc32` computes it, unsigned. */
  crc32: number;
}

export interface NativeDescription extends SegmentDescription {
  /** Engine key. */
  engine: string;
  version: string;
  /** `node 24.9.0`. */
  release: string;
  cpu: CpuRequirements;
  statistics: NativeStatistics;
  /**
   * The function indices of the section's STT_FUNC symbols, in order of address, as runs of consecutive
   * indices: first, count, first, count … This is needed because symbol names may be missing or not unique.
   */
  functions: number[];
}

export function encodeWasmNotes(description: Description): Uint8Array {
  const version = new Uint8Array(4);
  new Cursor(version).writeU32(FORMAT_VERSION);
  return encodeNotes([
    { name: NOTE_OWNER, type: NT_WASM_FORMAT_VERSION, descriptor: version },
    {
      name: NOTE_OWNER,
      type: NT_WASM_DESCRIPTION,
      descriptor: new TextEncoder().encode(JSON.stringify(description)),
    },
  ]);
}

/**
 * Decodes the notes of `.note.wasm`.
 *
 * @param file how messages name the file
 * @throws INVALID_ARTIFACT for another format version, for a missing note, or for JSON that is no {@link Description}
 */
export function decodeWasmNotes(
  notes: readonly ElfNote[],
  file: string,
): { formatVersion: number; description: Description } {
  const find = (type: number) => notes.find((note) => note.name === NOTE_OWNER && note.type === type);
  const version = find(NT_WASM_FORMAT_VERSION);
  if (version?.descriptor.length !== 4) {
    throw invalidArtifact(file, 'it has no note with a format version');
  }
  const formatVersion = new Cursor(version.descriptor).readU32();
  if (formatVersion !== FORMAT_VERSION) {
    throw invalidArtifact(
      file,
      `its format version is ${formatVersion}, but this version of unplugin-wasm-precompile reads ${FORMAT_VERSION}`,
    );
  }
  const description = find(NT_WASM_DESCRIPTION);
  if (!description) {
    throw invalidArtifact(file, 'it has no note that describes its segments');
  }
  const json = parseJson(description.descriptor, 'its description note', file);
  try {
    return { formatVersion, description: readDescription(json) };
  } catch (cause) {
    throw invalidArtifact(file, `in its description note, ${messageOf(cause)}`, { cause });
  }
}

/** Parses JSON in UTF-8. @throws INVALID_ARTIFACT if the bytes are not UTF-8 or not JSON */
export function parseJson(bytes: Uint8Array, what: string, file: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw invalidArtifact(file, `${what} is not JSON (${messageOf(cause)})`, { cause });
  }
}

/** Creates the error for an ELF file that is no usable artifact. @param why a clause */
export function invalidArtifact(file: string, why: string, options?: ErrorOptions): WasmPrecompileError {
  const message = `${file} is not a usable precompiled artifact: ${why}. Build it again.`;
  return new WasmPrecompileError('INVALID_ARTIFACT', message, options);
}

function readDescription(json: unknown): Description {
  const root = new Fields(json, 'description');
  const sha256 = root.fields('source').string('sha256');
  if (!isSha256(sha256)) {
    throw new TypeError(`source.sha256 is ${JSON.stringify(sha256)}, not 64 hexadecimal digits`);
  }
  return {
    producer: root.string('producer'),
    name: root.string('name'),
    source: { sha256 },
    wire: readSegmentDescription(root.fields('wire')),
    ...(root.has('split') && { split: readSplit(root.fields('split')) }),
    native: root.list('native').map((item, index) => {
      const native = new Fields(item, `native[${index}]`);
      const statistics = native.fields('statistics');
      const cpu = native.fields('cpu');
      return {
        ...readSegmentDescription(native),
        engine: native.string('engine'),
        version: native.string('version'),
        release: native.string('release'),
        cpu: {
          level: cpu.string('level'),
          needs: cpu.count('needs'),
          features: cpu.string('features'),
          trial: cpu.string('trial'),
          versionTag: cpu.count('versionTag'),
        },
        statistics: {
          functions: statistics.count('functions'),
          compiled: statistics.count('compiled'),
          codeSize: statistics.count('codeSize'),
          ...(statistics.has('executed') && { executed: statistics.count('executed') }),
        },
        functions: native.list('functions').map((value) => asCount(value, `native[${index}].functions`)),
      };
    }),
  };
}

function readSegmentDescription(fields: Fields): SegmentDescription {
  return { section: fields.string('section'), crc32: fields.count('crc32') };
}

function readSplit(split: Fields): SplitDescription {
  return {
    secondaries: split.list('secondaries').map((item, index) => {
      const secondary = new Fields(item, `split.secondaries[${index}]`);
      return {
        wire: readSegmentDescription(secondary.fields('wire')),
        native: secondary
          .list('native')
          .map((native, target) =>
            native === null
              ? null
              : readSegmentDescription(new Fields(native, `split.secondaries[${index}].native[${target}]`)),
          ),
      };
    }),
    ...(split.has('memory') && { memory: readSegmentDescription(split.fields('memory')) }),
    ...(split.has('full') && { full: readSegmentDescription(split.fields('full')) }),
    plan: readSegmentDescription(split.fields('plan')),
  };
}

export function isSha256(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/**
 * Reads the fields of a JSON object. Throws a TypeError that names the field if a field does not have the
 * expected type.
 */
class Fields {
  readonly #values: Map<string, unknown>;
  readonly #path: string;

  constructor(value: unknown, path: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new TypeError(`${path} is not an object`);
    }
    this.#values = new Map(Object.entries(value));
    this.#path = path;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  string(name: string): string {
    const value = this.#values.get(name);
    if (typeof value !== 'string') {
      throw new TypeError(`${this.#path}.${name} is not a string`);
    }
    return value;
  }

  count(name: string): number {
    return asCount(this.#values.get(name), `${this.#path}.${name}`);
  }

  list(name: string): unknown[] {
    const value = this.#values.get(name);
    if (!Array.isArray(value)) {
      throw new TypeError(`${this.#path}.${name} is not a list`);
    }
    return value;
  }

  fields(name: string): Fields {
    return new Fields(this.#values.get(name), `${this.#path}.${name}`);
  }
}

function asCount(value: unknown, path: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new TypeError(`${path} is not a whole number`);
  }
  return value;
}
