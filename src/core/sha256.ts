import { createHash } from 'node:crypto';

/** Hexadecimal. */
export function sha256(contents: Uint8Array | string): string {
  return createHash('sha256').update(contents).digest('hex');
}
