import wasmPrecompile from 'unplugin-wasm-precompile/rollup';

export default defineNuxtConfig({
  compatibilityDate: '2026-01-01',
  telemetry: false,
  nitro: { rollupConfig: { plugins: [wasmPrecompile()] } },
});
