import { Cursor } from './cursor.ts';
import { wasmError } from './wasm-error.ts';
import { identify } from './identify.ts';

/** https://webassembly.github.io/spec/core/binary/modules.html#sections */
export enum SectionId {
  Custom = 0,
  Type = 1,
  Import = 2,
  Function = 3,
  Table = 4,
  Memory = 5,
  Global = 6,
  Export = 7,
  Start = 8,
  Element = 9,
  Code = 10,
  Data = 11,
  DataCount = 12,
  Tag = 13,
}

/** The order in which sections must appear, which is not the order of their ids. Custom sections may be anywhere. */
export const SECTION_ORDER: readonly (readonly [SectionId, name: string])[] = [
  [SectionId.Type, 'type'],
  [SectionId.Import, 'import'],
  [SectionId.Function, 'function'],
  [SectionId.Table, 'table'],
  [SectionId.Memory, 'memory'],
  [SectionId.Tag, 'tag'],
  [SectionId.Global, 'global'],
  [SectionId.Export, 'export'],
  [SectionId.Start, 'start'],
  [SectionId.Element, 'element'],
  [SectionId.DataCount, 'data count'],
  [SectionId.Code, 'code'],
  [SectionId.Data, 'data'],
];

/** A section. Offsets are bytes from the start of the file. */
export interface Section {
  id: SectionId;
  /** The name that the spec has for the section; for a custom section its own name. */
  name: string;
  /** Offset of the section's first byte: its id. */
  start: number;
  /** Offset of its content. In a custom section the content starts with the name. */
  offset: number;
  /** Bytes of content. */
  size: number;
}

/** The range of a custom section's content without the name, as `WebAssembly.Module.customSections` returns it. */
export interface CustomSection {
  name: string;
  /** Bytes from the start of the file. */
  offset: number;
  /** Bytes. */
  size: number;
}

export interface Sections {
  /** All sections, in the order of the file. */
  sections: readonly Section[];
  customSections: readonly CustomSection[];
}

const MAGIC = [0x00, 0x61, 0x73, 0x6d];
export const PREAMBLE_SIZE = 8;
const PREAMBLE = 'preamble';

/**
 * Lists the sections of a module. Reads the section headers and the names of custom sections, nothing else.
 *
 * @param bytes wire bytes
 * @param file the name of the file, for messages
 * @throws WasmPrecompileError `INVALID_WASM` if the file is not wasm, is cut off, or has sections twice or out
 *   of order; `UNSUPPORTED_WASM` for components and for unknown versions and sections
 */
export function readSections(bytes: Uint8Array, file?: string): Sections {
  checkPreamble(bytes, file);
  const sections: Section[] = [];
  const customSections: CustomSection[] = [];
  const cursor = new Cursor(bytes, PREAMBLE_SIZE, bytes.length, 'section headers', file);
  let last = -1;
  while (cursor.left > 0) {
    const start = cursor.offset;
    const id = cursor.u8('a section id');
    const rank = SECTION_ORDER.findIndex(([known]) => known === id);
    const [, kind] = SECTION_ORDER[rank] ?? [id, 'custom'];
    if (rank === -1 && id !== SectionId.Custom) cursor.unsupported('a section id from 0 to 13', id, start);
    if (rank !== -1) {
      if (rank <= last) refuseOrder(cursor, rank, last, start);
      last = rank;
    }
    const size = cursor.u32(`the size of the ${kind} section`);
    const offset = cursor.offset;
    if (size > cursor.left) {
      cursor.invalid(
        `${size} bytes of the ${kind} section`,
        `the end of the file after ${cursor.left} bytes`,
        offset,
      );
    }
    cursor.skip(size, 'a section');
    let name = kind;
    if (id === SectionId.Custom) {
      const content = new Cursor(bytes, offset, offset + size, 'custom section', file);
      name = content.name('the name of a custom section');
      customSections.push({ name, offset: content.offset, size: content.left });
    }
    sections.push({ id, name, start, offset, size });
  }
  return { sections, customSections };
}

function refuseOrder(cursor: Cursor, rank: number, last: number, offset: number): never {
  const name = SECTION_ORDER[rank]?.[1];
  const previous = SECTION_ORDER[last]?.[1];
  return rank === last
    ? cursor.invalid(`one ${name} section`, 'a second one', offset)
    : cursor.invalid(`the ${name} section before the ${previous} section`, 'it after the latter', offset);
}

/** Checks the preamble: the magic number in four bytes, then version and layer in two bytes each. */
function checkPreamble(bytes: Uint8Array, file: string | undefined): void {
  const at = (offset: number, expected: string) => ({ file, place: PREAMBLE, offset, expected });
  const start = bytes.subarray(0, MAGIC.length);
  if (start.length === 0 || !start.every((byte, index) => byte === MAGIC[index])) {
    const { found, advice } = identify(bytes);
    throw wasmError('INVALID_WASM', {
      ...at(0, 'a WebAssembly binary (magic number 00 61 73 6d)'),
      found,
      advice,
    });
  }
  if (bytes.length < PREAMBLE_SIZE) {
    const found = `the end of the file after ${bytes.length}`;
    throw wasmError('INVALID_WASM', { ...at(bytes.length, `a preamble of ${PREAMBLE_SIZE} bytes`), found });
  }
  const preamble = new DataView(bytes.buffer, bytes.byteOffset, PREAMBLE_SIZE);
  const version = preamble.getUint16(4, true);
  const layer = preamble.getUint16(6, true);
  if (layer === 1) {
    throw wasmError('UNSUPPORTED_WASM', {
      ...at(4, 'a core module (layer 0)'),
      found: 'a component (layer 1)',
      advice:
        'Turn it into core modules and JavaScript with `jco transpile`, or extract the modules with `wasm-tools component unbundle`.',
    });
  }
  if (version !== 1 || layer !== 0) {
    const found = `version ${version}, layer ${layer}`;
    throw wasmError('UNSUPPORTED_WASM', { ...at(4, 'version 1, layer 0'), found });
  }
}
