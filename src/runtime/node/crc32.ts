import { builtin } from './builtin.ts';

type Crc32 = (typeof import('node:zlib'))['crc32'];

/** Returns undefined if zlib has no `crc32`: before Node 20.15, and possibly in Bun and Deno. */
export function getCrc32(): Crc32 | undefined {
  return builtin('node:zlib').crc32;
}
