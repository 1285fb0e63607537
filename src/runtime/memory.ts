/**
 * The memory of a split module where it lies beside the primary, which imports it (src/wasm/split/memory.ts): what V8 need not
 * copy at each start as a part of the wire bytes. Little-endian: u32 pages, u32 pages at most, or {@link NO_MAXIMUM}; u32 count of
 * runs; for each run u32 address, u32 bytes; then the contents of the runs. Everything else in the memory is zero.
 */

/** No memory has that many pages. */
export const NO_MAXIMUM = 0xffff_ffff;

/** As it is, whoever replaces it later. */
const { Memory } = WebAssembly;

const WORD = 4;
const HEAD_WORDS = 3;
const RUN_WORDS = 2;

/** A memory as the module has it before anything of it runs. @throws RangeError where there is no room for it */
export function createMemory(segment: ArrayBuffer): WebAssembly.Memory {
  const view = new DataView(segment);
  const word = (index: number) => view.getUint32(index * WORD, true);
  const [initial, maximum, runs] = [word(0), word(1), word(2)];
  const memory = new Memory({ initial, ...(maximum !== NO_MAXIMUM && { maximum }) });
  const bytes = new Uint8Array(memory.buffer);
  let offset = (HEAD_WORDS + runs * RUN_WORDS) * WORD;
  for (let run = 0; run < runs; run++) {
    const at = HEAD_WORDS + run * RUN_WORDS;
    const size = word(at + 1);
    bytes.set(new Uint8Array(segment, offset, size), word(at));
    offset += size;
  }
  return memory;
}
