/** What identifies modules and functions. */
import { createHash } from 'node:crypto';
import type { FunctionBody } from './code.ts';
import { encodeUnsigned } from './leb128.ts';
import { SectionId, type Sections } from './sections.ts';

/**
 * SHA-256 of a module without its custom sections: names and debug information do not count, so a stripped copy is
 * the same module. Nor does it count how section sizes are written (LEB128 may be padded): the shortest form enters.
 *
 * @param bytes wire bytes
 * @param sections what `readSections` or `readModule` said of them
 * @returns hexadecimal
 */
export function hashModule(bytes: Uint8Array, { sections }: Pick<Sections, 'sections'>): string {
  const hash = createHash('sha256').update(PREAMBLE);
  for (const { id, offset, size } of sections) {
    if (id === SectionId.Custom) continue;
    hash.update(Uint8Array.of(id, ...encodeUnsigned(size))).update(bytes.subarray(offset, offset + size));
  }
  return hash.digest('hex');
}

const PREAMBLE = Buffer.from('0061736d01000000', 'hex');

/** Hexadecimal digits of the hash of a body: 64 bits tell the functions of a module apart. */
export const BODY_HASH_DIGITS = 16;

/**
 * The start of the SHA-256 of a function's body.
 *
 * @returns {@link BODY_HASH_DIGITS} hexadecimal digits
 */
export function hashFunctionBody(bytes: Uint8Array, { offset, size }: FunctionBody): string {
  const body = bytes.subarray(offset, offset + size);
  return createHash('sha256').update(body).digest('hex').slice(0, BODY_HASH_DIGITS);
}
