/**
 * A checksum of a binary of the native loader: FNV-1a (RFC 9923) over its 32-bit words, in the machine's byte order, and then over
 * the bytes that are left. Unlike zlib's CRC-32 it needs no module of Node that takes a start 2 ms to load.
 */
export function checksum(bytes: Uint8Array): number {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  let hash = 0x811c9dc5;
  for (const part of [words, bytes.subarray(words.length * 4)]) {
    for (const value of part) hash = Math.imul(hash ^ value, 0x01000193);
  }
  return hash >>> 0;
}
