/**
 * The memory image of a split module: the initial contents of its memory, if the build stored them separately from
 * the primary, which then imports its memory (src/wasm/split/memory.ts). So V8 need not copy them at each startup as
 * a part of the wire bytes.
 *
 * The format is little-endian: u32 pages; u32 maximum pages, or {@link NO_MAXIMUM}; u32 count of runs; for each run
 * u32 address and u32 size in bytes; then the contents of the runs. The rest of the memory is zero.
 */

/** No memory has that many pages. */
export const NO_MAXIMUM = 0xffff_ffff;

/** Pages. */
export interface MemoryLimits {
  initial: number;
  maximum: number;
}

/** Captured before user code can replace it. */
const { Memory } = WebAssembly;

const WORD_SIZE = 4;
const HEADER_WORDS = 3;
const RUN_WORDS = 2;

/** Reads the limits of the memory from its image. */
export function readLimits(image: Uint8Array): MemoryLimits {
  const word = wordsOf(image);
  return { initial: word(0), maximum: word(1) };
}

/** Creates an empty memory. @throws RangeError if there is no address space for it */
export function createMemory({ initial, maximum }: MemoryLimits): WebAssembly.Memory {
  return new Memory({ initial, ...(maximum !== NO_MAXIMUM && { maximum }) });
}

/** Copies the contents into an empty memory; the native addon's `fill` does the same. */
export function fillMemory(memory: WebAssembly.Memory, image: Uint8Array): void {
  const bytes = new Uint8Array(memory.buffer);
  const word = wordsOf(image);
  const runs = word(2);
  let offset = (HEADER_WORDS + runs * RUN_WORDS) * WORD_SIZE;
  for (let run = 0; run < runs; run++) {
    const at = HEADER_WORDS + run * RUN_WORDS;
    const end = offset + word(at + 1);
    bytes.set(image.subarray(offset, end), word(at));
    offset = end;
  }
}

function wordsOf({ buffer, byteOffset, byteLength }: Uint8Array): (index: number) => number {
  const view = new DataView(buffer, byteOffset, byteLength);
  return (index) => view.getUint32(index * WORD_SIZE, true);
}
