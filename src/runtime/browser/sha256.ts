/**
 * SHA-256 (FIPS 180-4), synchronously; `crypto.subtle` is asynchronous. Used when a call blocks until a secondary
 * module is loaded whose integrity must be checked.
 */

/** Returns the first 32 bits of the fractional parts of the square or cube roots of the first primes. */
function fractions(count: number, exponent: number): number[] {
  const words: number[] = [];
  for (let candidate = 2; words.length < count; candidate++) {
    let prime = true;
    for (let factor = 2; factor * factor <= candidate; factor++) prime &&= candidate % factor !== 0;
    if (prime) words.push(((candidate ** exponent % 1) * 2 ** 32) | 0);
  }
  return words;
}

const BLOCK = 64;

/** @returns the hash in base64, the format of subresource integrity */
export function sha256(bytes: Uint8Array): string {
  const constants = fractions(64, 1 / 3);
  const hash = Int32Array.from(fractions(8, 1 / 2));
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / BLOCK) * BLOCK);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  // The length in bits is a 64-bit number.
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(padded.length - 4, bytes.length << 3);
  const words = new Int32Array(BLOCK);
  for (let block = 0; block < padded.length; block += BLOCK) {
    for (let i = 0; i < 16; i++) words[i] = view.getInt32(block + i * 4);
    for (let i = 16; i < 64; i++) {
      const before15 = words[i - 15] as number;
      const before2 = words[i - 2] as number;
      const small0 = rotate(before15, 7) ^ rotate(before15, 18) ^ (before15 >>> 3);
      const small1 = rotate(before2, 17) ^ rotate(before2, 19) ^ (before2 >>> 10);
      words[i] = (words[i - 16] as number) + small0 + (words[i - 7] as number) + small1;
    }
    let [a, b, c, d, e, f, g, h] = hash as unknown as Octet;
    for (let i = 0; i < 64; i++) {
      const large1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
      const first = (h + large1 + ((e & f) ^ (~e & g)) + (constants[i] as number) + (words[i] as number)) | 0;
      const large0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
      const second = (large0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
    }
    for (const [i, value] of [a, b, c, d, e, f, g, h].entries()) hash[i] = (hash[i] as number) + value;
  }
  const digest = new DataView(new ArrayBuffer(32));
  for (const [i, value] of hash.entries()) digest.setInt32(i * 4, value);
  return btoa(String.fromCharCode(...new Uint8Array(digest.buffer)));
}

type Octet = [number, number, number, number, number, number, number, number];

function rotate(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}
