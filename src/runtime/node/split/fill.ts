/**
 * Creates the memory of an instance of a split module, if it is stored separately from the primary (memory-image.ts).
 */
import type { Addon, Contents } from '../addon.ts';
import { getCrc32 } from '../crc32.ts';
import { describeDamage, fail } from '../fallback.ts';
import type { MemoryEntry } from '../../shared/manifest.ts';
import { createMemory, fillMemory } from '../../shared/memory-image.ts';
import { readRanges } from '../read-ranges.ts';

/**
 * Starts to fill the memory of one instance; with the native addon, another thread does so. The checksum is always
 * compared: the primary does not depend on the contents of its memory, and the segment of another build may have the
 * same size.
 *
 * @returns a function that blocks until the memory is filled
 */
export function startMemory(
  file: string,
  segment: MemoryEntry,
  addon: Addon | undefined,
): () => WebAssembly.Memory {
  const memory = createMemory(segment);
  const fill = addon
    ? addon.fill(file, segment, memory.buffer as ArrayBuffer)
    : () => readInto(memory, file, segment);
  return () => (fill() === segment.crc32 ? memory : fail(describeDamage(file)));
}

/** Does the same as the native addon's `fill`, on this thread. */
function readInto(memory: WebAssembly.Memory, file: string, segment: MemoryEntry): number | undefined {
  const { segments } = readRanges(file, [segment], false).next().value as Contents;
  const [bytes] = segments.map((each) => each && new Uint8Array(each));
  if (!bytes) return undefined;
  // If nothing can compute the checksum, it counts as right.
  const crc32 = getCrc32()?.(bytes) ?? segment.crc32;
  if (crc32 === segment.crc32) fillMemory(memory, bytes);
  return crc32;
}
