import wasmPrecompile from 'unplugin-wasm-precompile/webpack';

export default {
  webpack(config, { nextRuntime }) {
    // Only in builds for Node, not for browsers or the edge runtime.
    if (nextRuntime === 'nodejs') config.plugins.push(wasmPrecompile());
    return config;
  },
};
