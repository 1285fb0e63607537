/** Reads parts of a file: what the native loader does by mapping, for processes without it. */
import { builtin } from './builtin.ts';
import type { Contents, Range } from './addon.ts';
import { either, type Steps } from './steps.ts';

const { closeSync, fstatSync, openSync, read, readSync } = builtin('node:fs');
const { promisify } = builtin('node:util');

const readAsync = promisify(read);

export function* readRanges(file: string, ranges: readonly Range[], asynchronous: boolean): Steps<Contents> {
  const fd = openSync(file, 'r');
  try {
    const reads = ranges.map(({ offset, size }) => [fd, new Uint8Array(size), 0, size, offset] as const);
    const sizes = yield* either(
      asynchronous,
      () => reads.map((each) => readSync(...each)),
      () => Promise.all(reads.map(async (each) => (await readAsync(...each)).bytesRead)),
    );
    return {
      size: fstatSync(fd).size,
      segments: reads.map(([, { buffer, length }], index) => (sizes[index] === length ? buffer : undefined)),
    };
  } finally {
    closeSync(fd);
  }
}
