/** The header of native code, as far as V8 compares it with its own: magic, version hash, CPU features, flag hash. */
import { CPU_FEATURES_OFFSET, FLAG_HASH_OFFSET } from '../runtime/shared/v8-header.ts';

/** Bytes of the header that V8 compares. */
export const COMPARED_HEADER_SIZE = 16;

/** @throws RangeError if the native code is shorter than its header */
export function readHeader(code: Uint8Array): { cpuFeatures: number; flagHash: number } {
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  return {
    cpuFeatures: view.getUint32(CPU_FEATURES_OFFSET, true),
    flagHash: view.getUint32(FLAG_HASH_OFFSET, true),
  };
}

/** Returns a copy of native code with other words in its header. An undefined flag hash keeps the word. */
export function withHeader(
  code: Uint8Array,
  { cpuFeatures, flagHash }: { cpuFeatures: number; flagHash: number | undefined },
): Uint8Array {
  // Not `slice`, since that of a Buffer shares its memory.
  const copy = new Uint8Array(code);
  // V8 rejects code without a header; a later check reports that.
  if (copy.length < COMPARED_HEADER_SIZE) return copy;
  const view = new DataView(copy.buffer);
  view.setUint32(CPU_FEATURES_OFFSET, cpuFeatures, true);
  if (flagHash !== undefined) view.setUint32(FLAG_HASH_OFFSET, flagHash, true);
  return copy;
}
