/** Makes the memories of a split module's instances, where they are apart from the primary (memory.ts). */
import type { Addon, Contents } from '../addon.ts';
import { getCrc32 } from '../crc32.ts';
import { describeDamage, fail } from '../fallback.ts';
import type { MemoryEntry } from '../../shared/manifest.ts';
import { createMemory, fillMemory } from './memory.ts';
import { readRanges } from '../read.ts';

/**
 * Begins with the memory of one instance; with the native loader another thread works at it. The checksum is always compared: the
 * primary says nothing of what is in its memory, and another build's may be just as long.
 *
 * @returns waits for the memory
 */
export function startMemory(
  file: string,
  segment: MemoryEntry,
  addon: Addon | undefined,
): () => WebAssembly.Memory {
  const memory = createMemory(segment);
  const fill = addon
    ? addon.fill(file, segment, memory.buffer as ArrayBuffer)
    : () => read(file, segment, memory);
  return () => (fill() === segment.crc32 ? memory : fail(describeDamage(file)));
}

/** What the native loader's `fill` does, without it. */
function read(file: string, segment: MemoryEntry, memory: WebAssembly.Memory): number | undefined {
  const { segments } = readRanges(file, [segment], false).next().value as Contents;
  const [bytes] = segments.map((each) => each && new Uint8Array(each));
  if (!bytes) return undefined;
  // Where nobody can tell, it counts as right.
  const crc32 = getCrc32()?.(bytes) ?? segment.crc32;
  if (crc32 === segment.crc32) fillMemory(memory, bytes);
  return crc32;
}
