import { createHash } from 'node:crypto';

/** Bytes of a build id: the length that GNU tools use. */
export const BUILD_ID_SIZE = 20;

/**
 * Computes the build id of a file: the first 20 bytes of the SHA-256 of the file, with zeros for the id itself.
 *
 * @param offset offset of the id in the file, in bytes
 */
export function computeBuildId(bytes: Uint8Array, offset: number): Buffer {
  return createHash('sha256')
    .update(bytes.subarray(0, offset))
    .update(new Uint8Array(BUILD_ID_SIZE))
    .update(bytes.subarray(offset + BUILD_ID_SIZE))
    .digest()
    .subarray(0, BUILD_ID_SIZE);
}
