import { createHash } from 'node:crypto';

/** Hexadecimal. */
export function sha256(contents: Uint8Array | string): string {
  return createHash('sha256').update(contents).digest('hex');
}

/** Of a set of functions, by their indices in any order. */
export function sha256OfIndices(indices: ReadonlySet<number>): string {
  return sha256([...indices].toSorted((a, b) => a - b).join(','));
}
