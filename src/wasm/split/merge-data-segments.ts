/**
 * Merges neighbouring data segments, with zeros for the gap between them: in the primary, or in the contents of its
 * separate memory (separate-memory.ts).
 *
 * Go's linker leaves out runs of zeros and writes a segment for the bytes between two runs. esbuild-wasm has
 * 98,450 segments for 3.2 MB of content. Of these, 87,626 have less than 9 bytes. V8 decodes each segment at
 * each startup and copies it at each instantiation.
 *
 * The data section stays as it is unless no program can observe the difference:
 *
 *  - The module defines the memory, so it is zero before. No segment is out of bounds: otherwise the segments
 *    before that one would be left in a memory that functions in imported tables can read.
 *  - Each segment is active in memory 0, with an `i32.const` for its offset.
 *  - No two merged segments overlap, so that the zeros of a gap overwrite nothing.
 *  - No function refers to segments, whose indices change.
 */
import { Cursor } from '../binary/cursor.ts';
import { type Section, SectionId } from '../binary/sections.ts';
import type { MemoryType } from '../binary/extern-types.ts';
import { readMemoryType } from '../binary/value-types.ts';
import { type ModuleLayout, ExternalKind, type Range } from './module-layout.ts';
import type { Instructions } from './instructions.ts';
import type { ModuleWriter } from './module-writer.ts';

/** Segments that are merged into one, in the order of the module. Addresses are bytes of the memory. */
export interface Run {
  /** The flags and the offset expression of the first segment. */
  head: Range;
  start: number;
  /** The address after the last byte. */
  end: number;
  segments: { start: number; content: Range }[];
}

/** A data section whose neighbouring segments are merged. */
export interface MergedData {
  runs: readonly Run[];
  /** How many segments the module has, before they are merged. */
  segments: number;
  /** The type of the memory that the segments initialise. */
  memory: MemoryType;
}

/** The flags of a segment that is active in memory 0. */
const ACTIVE = 0;
const I32_CONST = 0x41;
const END = 0x0b;

/**
 * The longest gap to fill, in bytes. Besides its content a segment takes about 8 bytes in the file, and about
 * 40 in V8. Go's gaps have at least 8 bytes. Measured with esbuild-wasm, which has 98,450 segments and a
 * primary of 7.97 MB:
 *
 *   longest gap              16      24      32      64
 *   segments             88,510    1867     631     124
 *   larger primary      0.03 MB    0.91    0.94    0.96
 *
 * Compressed (brotli, quality 5) the primary is 2 to 5 % smaller. With 32, Node 26 makes a module of it in 16.4
 * ms instead of 18.8, and an instance in 3.8 ms instead of 4.6. With 16 it gains nothing.
 */
const MAX_GAP = 32;

/**
 * The shortest content that a reassembly plan refers to, in bytes. The plan takes 24 bytes for the two steps
 * that this needs. It has shorter content as a literal.
 */
const MIN_COPY = 32;

/** @returns undefined if the data section must stay as it is */
export function mergeDataSegments(
  wire: Uint8Array,
  { sections, state }: Pick<ModuleLayout, 'sections' | 'state'>,
  instructions: readonly Instructions[],
): MergedData | undefined {
  const data = sections.find(({ id }) => id === SectionId.Data);
  const memories = sections.find(({ id }) => id === SectionId.Memory);
  const [memory] = state[ExternalKind.Memory];
  const isDefined = memory && memories && memory.offset >= memories.offset;
  if (!data || !isDefined || instructions.some(({ usesDataSegments: dataSegments }) => dataSegments))
    return undefined;
  return readData(wire, data, readMemoryType(cursorOf(wire, memory)));
}

function readData(wire: Uint8Array, section: Section, memory: MemoryType): MergedData | undefined {
  const cursor = cursorOf(wire, section);
  const runs: Run[] = [];
  const segments = cursor.count('data segments', 1);
  for (let left = segments; left > 0; left--) {
    const { offset } = cursor;
    if (cursor.u32('the flags of a data segment') !== ACTIVE) return undefined;
    if (cursor.u8('an instruction') !== I32_CONST) return undefined;
    const start = cursor.s33('an i32 constant') >>> 0;
    if (cursor.u8('an instruction') !== END) return undefined;
    const head = { offset, size: cursor.offset - offset };
    const length = cursor.u32('the size of a data segment');
    const content = { offset: cursor.offset, size: length };
    cursor.skip(length, 'a data segment');
    const end = start + length;
    if (end > memory.minimum * memory.pageSize) return undefined;
    const last = runs.at(-1);
    if (last && start >= last.end && start - last.end <= MAX_GAP) {
      last.segments.push({ start, content });
      last.end = end;
    } else runs.push({ head, start, end, segments: [{ start, content }] });
  }
  cursor.finish();
  return areDisjoint(runs) ? { runs, segments, memory } : undefined;
}

function areDisjoint(runs: readonly Run[]): boolean {
  let free = 0;
  return runs
    .toSorted((a, b) => a.start - b.start)
    .every(({ start, end }) => {
      const disjoint = start >= free;
      free = end;
      return disjoint;
    });
}

/** Writes the content of the data section, with one segment for each run. */
export function writeDataSection(writer: ModuleWriter, wire: Uint8Array, { runs }: MergedData): void {
  writer.u32(runs.length);
  for (const run of runs) {
    writer.write(bytesOf(wire, run.head)).u32(run.end - run.start);
    writeRunContents(writer, wire, run);
  }
}

/** Writes the bytes of the memory from the start of a run to its end. */
export function writeRunContents(writer: ModuleWriter, wire: Uint8Array, { start, segments }: Run): void {
  let at = start;
  for (const { start: next, content } of segments) {
    writer.write(new Uint8Array(next - at));
    if (content.size < MIN_COPY) writer.write(bytesOf(wire, content));
    else writer.copy(content);
    at = next + content.size;
  }
}

function cursorOf(wire: Uint8Array, { offset, size }: Range): Cursor {
  return new Cursor(wire, offset, offset + size, 'data section');
}

function bytesOf(wire: Uint8Array, { offset, size }: Range): Uint8Array {
  return wire.subarray(offset, offset + size);
}
