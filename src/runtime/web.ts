/**
 * What ships to the users' users, for browsers: gives a `WebAssembly.Module` from a URL or from bytes in the
 * bundle. Nothing here imports from the build side.
 */
import { type AsyncModuleLoader, compileArguments, type CompileOptions, once } from './loader.ts';

export { initializer } from './loader.ts';

/**
 * A loader for a plain wasm file. The response goes to `compileStreaming` as it is, so that the browser keeps
 * its own code cache for it.
 */
export function fromFile(url: string, options: CompileOptions = {}): AsyncModuleLoader {
  return {
    load: once(async () => {
      const response = await fetch(url);
      if (!response.ok) throw new Error(`${url}: cannot load this wasm module: HTTP ${response.status}`);
      const type = response.headers.get('content-type') ?? '';
      // Servers that do not know the type answer with another one, which compileStreaming refuses.
      return /^application\/wasm\b/.test(type) && 'compileStreaming' in WebAssembly
        ? WebAssembly.compileStreaming(...compileArguments(response, options))
        : WebAssembly.compile(...compileArguments(await response.arrayBuffer(), options));
    }),
  };
}

/** A loader for a module in the bundle itself. */
export function fromBase64(base64: string, options: CompileOptions = {}): AsyncModuleLoader {
  return {
    load: once(() => {
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      return WebAssembly.compile(...compileArguments(bytes, options));
    }),
  };
}
