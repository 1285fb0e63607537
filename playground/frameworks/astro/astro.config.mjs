import node from '@astrojs/node';
import { defineConfig } from 'astro/config';
import wasmPrecompile from 'unplugin-wasm-precompile/vite';

export default defineConfig({
  output: 'server',
  adapter: node({ mode: 'standalone' }),
  vite: { plugins: [wasmPrecompile()] },
});
