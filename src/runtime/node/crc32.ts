import { builtin } from './builtin.ts';

type Crc32 = (typeof import('node:zlib'))['crc32'];

/** Undefined where zlib has none: before Node 20.15, in Bun and Deno maybe. */
export function getCrc32(): Crc32 | undefined {
  return builtin('node:zlib').crc32;
}
