/**
 * Separates a module's memory from its primary: the primary imports the memory and has no data segments.
 *
 * V8 copies and hashes all wire bytes at each startup, and copies data segments once more at each
 * instantiation. Data is half of the primaries of swc and esbuild-wasm. The runtime makes the memory instead,
 * and copies its contents once, from the mapped file (`fillMemory`).
 *
 * No program must observe the difference. Besides the conditions in merge-data-segments.ts this requires:
 *
 *  - The memory is the only one, so that its index stays. `WebAssembly.Memory` can make it: it is not shared
 *    (split-module.ts), has 32-bit addresses (as the offsets of its data) and the usual page size.
 *  - No table is imported. An instantiation that fails before its data segments could leave functions in such a
 *    table, and these functions would see the data in the memory.
 *
 * A program cannot instantiate the primary without the runtime, because it lacks an import. This is intended: such an
 * instance would compute wrong results.
 */
import { encodeWords } from '../../runtime/shared/reassembly-plan.ts';
import { NO_MAXIMUM } from '../../runtime/shared/memory-image.ts';
import { SectionId } from '../binary/sections.ts';
import { type ModuleLayout, ExternalKind } from './module-layout.ts';
import { type MergedData, writeRunContents } from './merge-data-segments.ts';
import { ModuleWriter } from './module-writer.ts';

/** Bytes of a page of `WebAssembly.Memory`. */
const PAGE_SIZE = 65_536;

/**
 * @param data undefined if the data section must stay as it is
 * @param minSize the least bytes of data that are worth a separate memory
 */
export function canSeparateMemory(
  data: MergedData | undefined,
  { sections, state }: Pick<ModuleLayout, 'sections' | 'state'>,
  minSize: number,
): data is MergedData {
  const tables = sections.find(({ id }) => id === SectionId.Table);
  const isDefined = (table: { offset: number }) => tables !== undefined && table.offset >= tables.offset;
  return (
    data !== undefined &&
    data.runs.reduce((sum, { start, end }) => sum + end - start, 0) >= minSize &&
    data.memory.pageSize === PAGE_SIZE &&
    state[ExternalKind.Memory].length === 1 &&
    state[ExternalKind.Table].every(isDefined)
  );
}

/** Writes the memory's contents in the format that the runtime reads (`readLimits`, `fillMemory`). */
export function writeMemorySegment(
  wire: Uint8Array,
  { runs, memory: { minimum, maximum } }: MergedData,
): ModuleWriter {
  const words = [minimum, maximum ?? NO_MAXIMUM, runs.length];
  for (const { start, end } of runs) words.push(start, end - start);
  const writer = new ModuleWriter(wire).write(encodeWords(words));
  for (const run of runs) writeRunContents(writer, wire, run);
  return writer;
}
