/**
 * The header of native code as V8 writes it (src/wasm/wasm-serialization.cc, `WriteHeader`): little-endian 32-bit
 * words, namely a magic number, the version hash, the CPU features and the flag hash. V8 rejects native code if one
 * of them differs from its own.
 */

/** Offset in bytes of the word with the CPU features that V8 used when it compiled. */
export const CPU_FEATURES_OFFSET = 8;

/**
 * Offset in bytes of the hash of V8's flags. Code cache data of JavaScript has the flag hash at the same offset
 * (src/snapshot/code-serializer.h).
 */
export const FLAG_HASH_OFFSET = 12;

/** Returns a view of the two words that depend on the process: the CPU features, followed by the flag hash. */
export function viewProcessWords(code: ArrayBuffer): Uint32Array {
  return new Uint32Array(code, CPU_FEATURES_OFFSET, 2);
}
