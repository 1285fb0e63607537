/**
 * Neighbouring data segments become one, with zeros for the gap between them: in the primary, or in what its memory is made of
 * (memory.ts).
 *
 * Go's linker leaves out runs of zeros and writes a segment for what is between two of them. esbuild-wasm has 98,450 segments for
 * 3.2 MB of content, 87,626 of them with less than 9 bytes, and V8 decodes each one at each start and copies it at each
 * instantiation.
 *
 * What is written is the whole section or nothing, and nothing unless it cannot be told from what the module has:
 *
 *  - The memory is the module's own, so it is zero before. Nobody sees it before all segments are in it, because none is out of
 *    bounds: else what precedes that one would be left in a memory that functions in imported tables may still see.
 *  - Each segment is active in memory 0, with an `i32.const` for its offset.
 *  - No two of what is written overlap, so that a gap's zeros overwrite nothing.
 *  - No function refers to segments, whose indices change.
 */
import { Cursor } from '../binary/cursor.ts';
import { type Section, SectionId } from '../binary/sections.ts';
import type { MemoryType } from '../binary/types.ts';
import { readMemoryType } from '../binary/value-types.ts';
import { type Anatomy, Kind, type Range } from './anatomy.ts';
import type { Instructions } from './instructions.ts';
import type { Writer } from './writer.ts';

/** Neighbours, in the order of the module. Addresses are bytes of the memory. */
export interface Run {
  /** Flags and offset expression of the first segment. */
  head: Range;
  start: number;
  /** After the last byte. */
  end: number;
  segments: { start: number; content: Range }[];
}

/** The data section, where neighbouring segments of it may be one. */
export interface Data {
  runs: readonly Run[];
  /** How many segments the module has. */
  segments: number;
  /** Of the memory that they are for. */
  memory: MemoryType;
}

/** The flags of a segment that is active in memory 0. */
const ACTIVE = 0;
const I32_CONST = 0x41;
const END = 0x0b;

/**
 * The longest gap to be filled, in bytes. What a segment has besides its content is about 8 bytes in the file, and some 40 in V8.
 * Go's gaps are of at least 8. Of esbuild-wasm's 98,450 segments 88,510 are left with 16, 1867 with 24, 631 with 32 and 124 with 64,
 * which makes a primary of 7.97 MB 0.03, 0.91, 0.94 and 0.96 MB larger, and compressed (brotli, quality 5) 2 to 5 % smaller.
 * Node 26 then makes a module of it in 16.4 ms instead of 18.8, and an instance in 3.8 instead of 4.6; with 16 nothing is gained.
 */
const MAX_GAP = 32;

/**
 * The shortest content that a recipe refers to, in bytes: the two steps for it take 24. All other content is in the recipe once
 * more.
 */
const MIN_COPY = 32;

/** @returns undefined where the data section must stay as it is */
export function findData(
  wire: Uint8Array,
  { sections, state }: Pick<Anatomy, 'sections' | 'state'>,
  instructions: readonly Instructions[],
): Data | undefined {
  const data = sections.find(({ id }) => id === SectionId.Data);
  const memories = sections.find(({ id }) => id === SectionId.Memory);
  const [memory] = state[Kind.Memory];
  const own = memory && memories && memory.offset >= memories.offset;
  if (!data || !own || instructions.some(({ dataSegments }) => dataSegments)) return undefined;
  return readData(wire, data, readMemoryType(cursorOf(wire, memory)));
}

function readData(wire: Uint8Array, section: Section, memory: MemoryType): Data | undefined {
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

/** Writes the content of the data section, with a segment for each run. */
export function writeData(writer: Writer, wire: Uint8Array, { runs }: Data): void {
  writer.u32(runs.length);
  for (const run of runs) {
    writer.write(bytesOf(wire, run.head)).u32(run.end - run.start);
    writeContents(writer, wire, run);
  }
}

/** Writes what comes to be in the memory from the start of a run to its end. */
export function writeContents(writer: Writer, wire: Uint8Array, { start, segments }: Run): void {
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
