/**
 * The engine's functions, captured before the hook replaces them. In the register file, and only there, the
 * name `WebAssembly` means this object (tsdown.config.ts): a hook whose runtime called a replaced function
 * would call itself without end.
 */

// `node --jitless` has no WebAssembly, and the program must start all the same.
const { WebAssembly: original = {} as typeof WebAssembly } = globalThis as {
  WebAssembly?: typeof WebAssembly;
};

/** A copy: replacing the functions of the original does not change it. */
export const engine = Object.create(null, Object.getOwnPropertyDescriptors(original)) as typeof WebAssembly;
