/**
 * Ambient declarations for the import forms. Add `"types": ["unplugin-wasm-precompile/types"]` to tsconfig.json, before
 * `vite/client`: of two patterns that match TypeScript takes the first. They need `WebAssembly` of `lib` (DOM or
 * WebWorker).
 */

/** The exports of one instance. Their types are in the wasm file, where TypeScript does not look. */
declare module '*.wasm';

// Not `*.wasm?init`, which vite/client declares: each pattern has one default export.
declare module '*wasm?init' {
  /** Compiles the module once; makes a new instance at each call. */
  const init: (imports?: WebAssembly.Imports) => Promise<WebAssembly.Instance>;
  export default init;
}

declare module '*.wasm?module' {
  const module: WebAssembly.Module;
  export default module;
}

declare module '*.wasm?url' {
  /** URL of the plain wasm file. */
  const url: string;
  export default url;
}
