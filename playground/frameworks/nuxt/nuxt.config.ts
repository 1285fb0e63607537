import wasmPrecompile from 'unplugin-wasm-precompile/rollup';

export default defineNuxtConfig({
  compatibilityDate: '2026-01-01',
  telemetry: false,
  nitro: {
    // Nitro copies the scripts of sql.js, but not the wasm file, since its path is computed at run time.
    externals: { traceInclude: ['node_modules/sql.js/dist/sql-wasm.wasm'] },
    rollupConfig: { plugins: [wasmPrecompile()] },
  },
});
