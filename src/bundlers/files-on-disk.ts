import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GeneratedOutput } from '../build/output/generated-output.ts';
import { writeAtomic } from '../common/write-atomic.ts';

/** The files of an output that the bundler has written to a folder. */
export function filesOnDisk(folder: string): Pick<GeneratedOutput, 'read' | 'write'> {
  return {
    read: (name) => readFile(join(folder, name), 'utf8').catch(() => undefined),
    write: (name, contents) => writeAtomic(join(folder, name), contents),
  };
}
