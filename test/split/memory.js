// @ts-check
import { readFileSync } from 'node:fs';
import { createMemory, fillMemory, readLimits } from '../../dist/runtime/node/split/memory.js';

/** What makes the memory of a segment in a file, for each instance anew. @param {string | undefined} file */
export function memoryFrom(file) {
  if (!file) return undefined;
  const segment = readFileSync(file);
  return () => {
    const memory = createMemory(readLimits(segment));
    fillMemory(memory, segment);
    return memory;
  };
}
