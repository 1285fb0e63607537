import { createHash } from 'node:crypto';

/** Returns a SHA-256 in hexadecimal. */
export function sha256(contents: Uint8Array | string): string {
  return createHash('sha256').update(contents).digest('hex');
}

/** Returns the SHA-256 of a set of function indices, regardless of their order. */
export function sha256OfIndices(indices: ReadonlySet<number>): string {
  return sha256([...indices].toSorted((a, b) => a - b).join(','));
}
