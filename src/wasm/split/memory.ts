/**
 * A module's memory beside its primary: the primary imports it, and has no data segments.
 *
 * V8 copies all wire bytes at each start, hashes them, and copies data segments once more at each instantiation. Half of the
 * primaries of swc and esbuild-wasm are such data. The runtime makes the memory and copies what is in it, once, from where the file
 * is mapped (runtime/node/split/memory.ts).
 *
 * It must be impossible to tell, besides what is said of data.ts:
 *
 *  - The memory is the only one, so that its index is the same, and of a kind that `WebAssembly.Memory` makes: not shared (split.ts),
 *    of 32-bit addresses (the offsets of its data are such), and of the usual pages.
 *  - No table is imported. Else functions could be left in it at an instantiation that fails before its data segments, and would see
 *    them in the memory.
 *
 * An instance that nobody makes whole cannot be made at all: its import is missing. That is what it should be, since it would
 * compute something else.
 */
import { encodeWords } from '../../runtime/shared/reassembly-plan.ts';
import { NO_MAXIMUM } from '../../runtime/node/split/memory.ts';
import { SectionId } from '../binary/sections.ts';
import { type Anatomy, Kind } from './anatomy.ts';
import { type Data, writeContents } from './data.ts';
import { Writer } from './writer.ts';

/** What `WebAssembly.Memory` makes: bytes. */
const PAGE_SIZE = 65_536;

/**
 * @param data undefined where it must stay as it is
 * @param leastSize bytes that are worth it
 */
export function canBeSeparate(
  data: Data | undefined,
  { sections, state }: Pick<Anatomy, 'sections' | 'state'>,
  leastSize: number,
): data is Data {
  const tables = sections.find(({ id }) => id === SectionId.Table);
  const isOwn = (table: { offset: number }) => tables !== undefined && table.offset >= tables.offset;
  return (
    data !== undefined &&
    data.runs.reduce((sum, { start, end }) => sum + end - start, 0) >= leastSize &&
    data.memory.pageSize === PAGE_SIZE &&
    state[Kind.Memory].length === 1 &&
    state[Kind.Table].every(isOwn)
  );
}

/** The segment, as runtime/node/split/memory.ts describes it. */
export function writeMemory(wire: Uint8Array, { runs, memory: { minimum, maximum } }: Data): Writer {
  const words = [minimum, maximum ?? NO_MAXIMUM, runs.length];
  for (const { start, end } of runs) words.push(start, end - start);
  const writer = new Writer(wire).write(encodeWords(words));
  for (const run of runs) writeContents(writer, wire, run);
  return writer;
}
