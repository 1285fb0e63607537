/**
 * A checksum of a binary of the native loader: its 32-bit words, in the machine's byte order, and the bytes that are left, each
 * taken in by exclusive or, after which the sum is turned by five bits. Finds every changed word, and a file that is cut off or
 * of another build. Unlike zlib's CRC-32 it needs no module of Node that takes a start 2 ms to load; and no multiplication, which
 * takes twice as long in code that runs once.
 */
export function checksum(bytes: Uint8Array): number {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  return bytes.subarray(words.length * 4).reduce(take, words.reduce(take, bytes.length)) >>> 0;
}

function take(sum: number, word: number): number {
  return ((sum << 5) | (sum >>> 27)) ^ word;
}
