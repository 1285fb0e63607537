import wasmPrecompile from 'unplugin-wasm-precompile/webpack';

export default {
  serverExternalPackages: ['sql.js'],
  output: process.env.NEXT_STANDALONE ? 'standalone' : undefined,
  // Otherwise Next uses the folder of the nearest lock file.
  outputFileTracingRoot: import.meta.dirname,
  // Next copies the scripts of sql.js, but not the wasm file, since its path is computed at run time.
  outputFileTracingIncludes: { '/rows': ['node_modules/sql.js/dist/sql-wasm.wasm'] },
  webpack(config, { nextRuntime }) {
    // Only in builds for Node, not for browsers or the edge runtime.
    if (nextRuntime === 'nodejs') config.plugins.push(wasmPrecompile());
    return config;
  },
};
