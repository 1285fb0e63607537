/**
 * Ambient declarations for the import forms. Add `"types": ["unplugin-wasm-precompile/types"]` to tsconfig.json, before
 * `vite/client`: if two patterns match, TypeScript uses the first. The declarations need the global `WebAssembly`, from
 * `lib` DOM or WebWorker.
 */

/** The exports of one instance. TypeScript does not read their types from the wasm file. */
declare module '*.wasm';

// Not `*.wasm?init`, which vite/client declares: a pattern can have only one default export.
declare module '*wasm?init' {
  /** Compiles the module once, and creates a new instance at each call. */
  const init: (imports?: WebAssembly.Imports) => Promise<WebAssembly.Instance>;
  export default init;
}

declare module '*.wasm?module' {
  const module: WebAssembly.Module;
  export default module;
}

declare module '*.wasm?url' {
  /** URL of the wasm file. */
  const url: string;
  export default url;
}
