/**
 * One server-side application, built in three ways from the same sources:
 *
 * - `vite build --mode plain`: what Vite does by itself
 * - `vite build --mode precompiled`: with the plugin, imported by its package name as its users do
 * - `vite build --mode trained`: the same, then `train.mjs` runs the output, and native code is trimmed to what ran
 *
 * PLAYGROUND_TARGETS: node executables to precompile for besides the one that builds, separated as in PATH.
 */
import { readFile } from 'node:fs/promises';
import { basename, delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import wasmPrecompile from 'unplugin-wasm-precompile/vite';
import { defineConfig, type Plugin } from 'vite';

const MODES = ['plain', 'precompiled', 'trained'];

const TRAINING = fileURLToPath(new URL('train.mjs', import.meta.url));

export default defineConfig(({ mode }) => {
  if (!MODES.includes(mode))
    throw new Error(`Unknown mode "${mode}": add --mode ${MODES.join(' or --mode ')}`);
  const targets = (process.env['PLAYGROUND_TARGETS'] ?? '').split(delimiter).filter((path) => path !== '');
  const training = mode === 'trained' ? { profile: { train: [process.execPath, TRAINING] } } : {};
  return {
    plugins: [
      mode === 'plain' ? moduleByHand() : wasmPrecompile({ targets: ['host', ...targets], ...training }),
    ],
    build: {
      ssr: true,
      // Without this, Vite's own `?init` names a file that a server-side build does not emit.
      ssrEmitAssets: true,
      outDir: `dist/${mode}`,
      target: 'node20.19',
      minify: false,
      reportCompressedSize: false,
      rolldownOptions: {
        input: ['src/server.ts', 'src/measure.ts'],
        // That compiling for other engines takes its time is no news here.
        checks: { pluginTimings: false },
      },
    },
  };
});

/**
 * Vite has no `?module`, which modules of wasm-bindgen want: their glue code makes the imports itself and takes a
 * module or bytes. In the plain build, this stands for what one writes by hand in Node, as the packages' documents
 * say: read the file, hand over its contents. Compiling is asynchronous, as in `WebAssembly.instantiate(bytes)`,
 * which does the same two steps.
 */
function moduleByHand(): Plugin {
  const request = /\.wasm\?module$/;
  return {
    name: 'playground:module-by-hand',
    enforce: 'pre',
    resolveId: {
      filter: { id: request },
      async handler(id, importer) {
        const resolved = await this.resolve(id.replace('?module', ''), importer, { skipSelf: true });
        return resolved && `${resolved.id}?module`;
      },
    },
    load: {
      filter: { id: request },
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
