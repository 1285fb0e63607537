/**
 * One server application, built in four ways from the same sources:
 *
 * - `vite build --mode baseline`: Vite without the plugin
 * - `vite build --mode precompiled`: with the plugin, imported by its package name as users do
 * - `vite build --mode unsplit`: the same, with native code trimmed to the functions that a run of `train.mjs` executes
 * - `vite build --mode profile`: the same, and modules are split if that saves enough, which is the default
 *
 * PLAYGROUND_TARGETS: further node executables to precompile for, separated as in PATH.
 */
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import wasmPrecompile from 'unplugin-wasm-precompile/vite';
import { defineConfig } from 'vite';
import { moduleByHand } from '../support/module-by-hand.ts';

const MODES = ['baseline', 'precompiled', 'unsplit', 'profile'];

const TRAINING = fileURLToPath(new URL('train.mjs', import.meta.url));

export default defineConfig(({ mode }) => {
  if (!MODES.includes(mode))
    throw new Error(`Unknown mode "${mode}": use --mode ${MODES.join(' or --mode ')}`);
  const targets = (process.env['PLAYGROUND_TARGETS'] ?? '').split(delimiter).filter((path) => path !== '');
  const profile = { train: [process.execPath, TRAINING, mode] };
  const training =
    mode === 'profile' ? { profile } : mode === 'unsplit' ? { profile, split: false as const } : {};
  return {
    plugins: [
      mode === 'baseline' ? moduleByHand() : wasmPrecompile({ targets: ['host', ...targets], ...training }),
    ],
    // Other packages stay outside of the bundle.
    ssr: { noExternal: ['@swc/wasm-web', '@resvg/resvg-wasm'] },
    build: {
      ssr: true,
      // Without this option, Vite's own `?init` refers to a file that a server build does not emit.
      ssrEmitAssets: true,
      outDir: `dist/${mode}`,
      target: 'node20.19',
      minify: false,
      reportCompressedSize: false,
      rolldownOptions: {
        input: ['src/server.ts', 'src/measure.ts'],
        // Compiling for other engines is expected to take long.
        checks: { pluginTimings: false },
      },
    },
  };
});
