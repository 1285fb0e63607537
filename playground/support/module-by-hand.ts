/**
 * Implements `?module`, which Vite does not have, for baseline builds. wasm-bindgen's code creates the imports
 * itself and takes a module or bytes. This plugin does what the packages' documentation recommends for Node:
 * read the file and pass its contents. Compilation is asynchronous, as in `WebAssembly.instantiate(bytes)`,
 * which does the same two steps.
 */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Plugin } from 'vite';
import { MODULE_REQUEST, resolveModuleRequest } from './module-request.ts';

export function moduleByHand(): Plugin {
  return {
    name: 'playground:module-by-hand',
    enforce: 'pre',
    resolveId: resolveModuleRequest,
    load: {
      filter: { id: MODULE_REQUEST },
      async handler(id) {
        const file = id.replace('?module', '');
        const asset = this.emitFile({ type: 'asset', name: basename(file), source: await readFile(file) });
        return `import { readFile } from 'node:fs/promises';
export default await WebAssembly.compile(await readFile(new URL(import.meta.ROLLUP_FILE_URL_${asset})));
`;
      },
    },
    // As Vite resolves its own `?init` in server builds; for files of plugins it returns `/assets/…`.
    resolveFileUrl({ relativePath }) {
      return `new URL(${JSON.stringify(relativePath)}, import.meta.url).href`;
    },
  };
}
