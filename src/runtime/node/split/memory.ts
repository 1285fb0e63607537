/**
 * The memory of a split module where it lies beside the primary, which imports it (src/wasm/split/memory.ts): what V8 need not
 * copy at each start as a part of the wire bytes. Little-endian: u32 pages, u32 pages at most, or {@link NO_MAXIMUM}; u32 count of
 * runs; for each run u32 address, u32 bytes; then the contents of the runs. Everything else in the memory is zero.
 */

/** No memory has that many pages. */
export const NO_MAXIMUM = 0xffff_ffff;

/** Pages: the smallest size and the largest one. */
export interface MemoryLimits {
  initial: number;
  maximum: number;
}

/** As it is, whoever replaces it later. */
const { Memory } = WebAssembly;

const WORD = 4;
const HEAD_WORDS = 3;
const RUN_WORDS = 2;

/** What a segment says of its memory. */
export function readLimits(segment: Uint8Array): MemoryLimits {
  const word = wordsOf(segment);
  return { initial: word(0), maximum: word(1) };
}

/** An empty one. @throws RangeError where there is no room for it */
export function createMemory({ initial, maximum }: MemoryLimits): WebAssembly.Memory {
  return new Memory({ initial, ...(maximum !== NO_MAXIMUM && { maximum }) });
}

/** What the native loader's `fill` does. @param memory an empty one */
export function fillMemory(memory: WebAssembly.Memory, segment: Uint8Array): void {
  const bytes = new Uint8Array(memory.buffer);
  const word = wordsOf(segment);
  const runs = word(2);
  let offset = (HEAD_WORDS + runs * RUN_WORDS) * WORD;
  for (let run = 0; run < runs; run++) {
    const at = HEAD_WORDS + run * RUN_WORDS;
    const end = offset + word(at + 1);
    bytes.set(segment.subarray(offset, end), word(at));
    offset = end;
  }
}

function wordsOf({ buffer, byteOffset, byteLength }: Uint8Array): (index: number) => number {
  const view = new DataView(buffer, byteOffset, byteLength);
  return (index) => view.getUint32(index * WORD, true);
}
