/**
 * One server-side application, built in four ways from the same sources:
 *
 * - `vite build --mode plain`: what Vite does by itself
 * - `vite build --mode precompiled`: with the plugin, imported by its package name as its users do
 * - `vite build --mode unsplit`: the same, then `train.mjs` runs the output, and native code is trimmed to what ran
 * - `vite build --mode profile`: the same, and modules are split where that pays, as they are by default
 *
 * PLAYGROUND_TARGETS: node executables to precompile for besides the one that builds, separated as in PATH.
 */
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import wasmPrecompile from 'unplugin-wasm-precompile/vite';
import { defineConfig } from 'vite';
import { moduleByHand } from '../support/module-by-hand.ts';

const MODES = ['plain', 'precompiled', 'unsplit', 'profile'];

const TRAINING = fileURLToPath(new URL('train.mjs', import.meta.url));

export default defineConfig(({ mode }) => {
  if (!MODES.includes(mode))
    throw new Error(`Unknown mode "${mode}": add --mode ${MODES.join(' or --mode ')}`);
  const targets = (process.env['PLAYGROUND_TARGETS'] ?? '').split(delimiter).filter((path) => path !== '');
  const profile = { train: [process.execPath, TRAINING, mode] };
  const training =
    mode === 'profile' ? { profile } : mode === 'unsplit' ? { profile, split: false as const } : {};
  return {
    plugins: [
      mode === 'plain' ? moduleByHand() : wasmPrecompile({ targets: ['host', ...targets], ...training }),
    ],
    // The others run as they are, outside of the bundle, too.
    ssr: { noExternal: ['@swc/wasm-web', '@resvg/resvg-wasm'] },
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
