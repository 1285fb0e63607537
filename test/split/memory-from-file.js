// @ts-check
import { readFileSync } from 'node:fs';
import { createMemory, fillMemory, readLimits } from '../../dist/runtime/shared/memory-image.js';

/** Returns a function that makes a new memory from the contents in a file. @param {string | undefined} file */
export function memoryFrom(file) {
  if (!file) return undefined;
  const segment = readFileSync(file);
  return () => {
    const memory = createMemory(readLimits(segment));
    fillMemory(memory, segment);
    return memory;
  };
}
