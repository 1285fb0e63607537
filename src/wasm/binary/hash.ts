/** Hashes that identify modules and functions. */
import { createHash } from 'node:crypto';
import type { FunctionBody } from './code.ts';
import { encodeUnsigned } from './leb128.ts';
import { SectionId, type Sections } from './sections.ts';

/**
 * Returns the SHA-256 of a module without its custom sections. Names and debug information do not count, so a
 * stripped copy is the same module. LEB128 padding of section sizes does not count either: the hash uses the
 * shortest form.
 *
 * @param bytes wire bytes
 * @param sections what `readSections` or `readModule` returned for them
 * @returns hexadecimal digits
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

/** Hexadecimal digits of the hash of a body: 64 bits are enough to distinguish the functions of a module. */
export const BODY_HASH_DIGITS = 16;

/**
 * Returns the start of the SHA-256 of a function's body.
 *
 * @returns {@link BODY_HASH_DIGITS} hexadecimal digits
 */
export function hashFunctionBody(bytes: Uint8Array, { offset, size }: FunctionBody): string {
  const body = bytes.subarray(offset, offset + size);
  return createHash('sha256').update(body).digest('hex').slice(0, BODY_HASH_DIGITS);
}
