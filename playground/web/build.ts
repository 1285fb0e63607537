/** Builds pages as users do: with the plugin in one of its deliveries, or without it. */
import { fileURLToPath } from 'node:url';
import wasmPrecompile from 'unplugin-wasm-precompile/vite';
import { build, type InlineConfig, type Plugin } from 'vite';
import { MODULE_REQUEST, resolveModuleRequest } from '../support/module-request.ts';
import { WEB_MODES, type WebMode } from './modes.ts';

export { WEB_MODES };

const PLUGIN_OPTIONS = {
  stream: { delivery: 'stream' },
  range: { delivery: 'range' },
  inflate: { delivery: 'inflate' },
  link: { delivery: 'stream', preload: 'link' },
  'stream-split': { delivery: 'stream' },
  'range-split': { delivery: 'range' },
  'inflate-split': { delivery: 'inflate' },
  'all-split': { delivery: 'stream', preload: 'all' },
} as const;

/**
 * @param root the folder with `index.html`
 * @param profile path of startup profiles, for modes with splitting
 */
export async function buildPage(
  root: string,
  mode: WebMode,
  outDir: string,
  {
    profile,
    ...config
  }: Pick<InlineConfig, 'base' | 'plugins' | 'define'> & { profile?: string | undefined } = {},
): Promise<void> {
  await build({
    root,
    configFile: false,
    mode,
    logLevel: 'warn',
    ...config,
    plugins: [
      mode === 'vite'
        ? moduleByUrl()
        : wasmPrecompile({ web: PLUGIN_OPTIONS[mode], ...(profile !== undefined && { profile }) }),
      ...(config.plugins ?? []),
    ],
    build: {
      outDir,
      emptyOutDir: true,
      target: 'es2022',
      reportCompressedSize: false,
      chunkSizeWarningLimit: 10_000,
      rolldownOptions: { checks: { pluginTimings: false } },
    },
    resolve: { alias: { 'node:fs': EMPTY, fs: EMPTY, path: EMPTY, crypto: EMPTY } },
  });
}

/** Replaces Node's modules, which sql.js imports only in Node. */
const EMPTY = fileURLToPath(new URL('empty.ts', import.meta.url));

/**
 * Implements `?module`, which Vite does not have, for builds without the plugin. It does what wasm-bindgen's
 * code does in a browser, and what Vite's own `?init` does: fetch a URL with streaming compilation.
 */
function moduleByUrl(): Plugin {
  return {
    name: 'playground:module-by-url',
    enforce: 'pre',
    resolveId: resolveModuleRequest,
    load: {
      filter: { id: MODULE_REQUEST },
      handler: (id) => `import url from ${JSON.stringify(id.replace('?module', '?url'))};
export default await WebAssembly.compileStreaming(fetch(url));
`,
    },
  };
}
