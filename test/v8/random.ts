/** Reproducible random damage. */

/** Returns a generator of pseudo-random integers below a limit, the same in every run (mulberry32). */
export function randomNumbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

/** Bytes with a meaning in native code: kinds of records, signs, small sizes. */
const MEANINGFUL_BYTES = [0, 1, 2, 3, 4, 5, 0x7f, 0x80, 0xff];

/** Returns a copy with one to three changes: bytes set, flipped, removed, inserted or doubled, or the end removed. */
export function damage(bytes: Uint8Array, random: (limit: number) => number): Uint8Array {
  let damaged = Buffer.from(bytes);
  for (let change = random(3); change >= 0; change--) {
    const at = random(damaged.length);
    const length = random(4) === 0 ? 1 + random(400) : 1 + random(4);
    const byte = MEANINGFUL_BYTES[random(MEANINGFUL_BYTES.length)] ?? 0;
    switch (random(6)) {
      case 0:
        damaged[at] = byte;
        break;
      case 1:
        damaged[at] = (damaged[at] ?? 0) ^ (1 << random(8));
        break;
      case 2:
        damaged = Buffer.concat([damaged.subarray(0, at), damaged.subarray(at + length)]);
        break;
      case 3:
        damaged = Buffer.concat([damaged.subarray(0, at), Buffer.alloc(length, byte), damaged.subarray(at)]);
        break;
      case 4:
        damaged = Buffer.concat([damaged.subarray(0, at + length), damaged.subarray(at)]);
        break;
      default:
        damaged = Buffer.from(damaged.subarray(0, random(4) === 0 ? at : damaged.length - length));
    }
    if (damaged.length === 0) return damaged;
  }
  return damaged;
}
