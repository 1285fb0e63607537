/** Reads byte ranges of a file into memory, in processes without the native addon, which maps them. */
import { builtin } from './builtin.ts';
import type { Contents, Range } from './addon.ts';
import { syncOrAsync, type Steps } from './steps.ts';

const { closeSync, fstatSync, openSync, read, readSync } = builtin('node:fs');
const readAsync = builtin('node:util').promisify(read);

export function* readRanges(file: string, ranges: readonly Range[], asynchronous: boolean): Steps<Contents> {
  const fd = openSync(file, 'r');
  try {
    const reads = ranges.map(({ offset, size }) => [fd, new Uint8Array(size), 0, size, offset] as const);
    const sizes = yield* syncOrAsync(
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
