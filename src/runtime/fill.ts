/** Makes the memories of a split module's instances, where they are apart from the primary (memory.ts). */
import type { Addon, Contents } from './addon.ts';
import { getCrc32 } from './crc32.ts';
import { fail } from './fallback.ts';
import type { MemoryMap } from './map.ts';
import { createMemory, fillMemory } from './memory.ts';
import { readParts } from './read.ts';

/**
 * Begins with the memory of one instance; with the native loader another thread works at it.
 *
 * @param verify compare the checksum
 * @returns waits for the memory
 */
export function startMemory(
  file: string,
  segment: MemoryMap,
  addon: Addon | undefined,
  verify: boolean,
): () => WebAssembly.Memory {
  const memory = createMemory(segment);
  const fill = addon
    ? addon.fill(file, segment, memory.buffer as ArrayBuffer)
    : () => read(file, segment, memory);
  return () => {
    const crc32 = fill();
    if (crc32 === undefined || (verify && crc32 !== segment.crc32)) return fail(describeDamage(file));
    return memory;
  };
}

/** What the native loader's `fill` does, without it. */
function read(file: string, segment: MemoryMap, memory: WebAssembly.Memory): number | undefined {
  const { segments } = readParts(file, [segment], false).next().value as Contents;
  const [bytes] = segments.map((each) => each && new Uint8Array(each));
  if (!bytes) return undefined;
  const crc32 = getCrc32();
  // Where nobody can tell, it counts as right.
  const found = crc32 ? crc32(bytes) : segment.crc32;
  if (found === segment.crc32) fillMemory(memory, bytes);
  return found;
}

export function describeDamage(file: string): string {
  return `${file}: a part of its wasm module is damaged or missing. Deploy one whole build again.`;
}
