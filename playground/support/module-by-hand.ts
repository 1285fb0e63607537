/**
 * Vite has no `?module`, which modules of wasm-bindgen want: their glue code makes the imports itself and takes a
 * module or bytes. In a plain build, this stands for what one writes by hand in Node, as the packages' documents
 * say: read the file, hand over its contents. Compiling is asynchronous, as in `WebAssembly.instantiate(bytes)`,
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
    // What Vite does for its own `?init` in a server-side build; for files of plugins it gives `/assets/…`.
    resolveFileUrl({ relativePath }) {
      return `new URL(${JSON.stringify(relativePath)}, import.meta.url).href`;
    },
  };
}
