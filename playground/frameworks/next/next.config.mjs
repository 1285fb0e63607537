import wasmPrecompile from 'unplugin-wasm-precompile/webpack';

export default {
  webpack(config, { nextRuntime }) {
    // Not in the builds for browsers and for the edge runtime.
    if (nextRuntime === 'nodejs') config.plugins.push(wasmPrecompile());
    return config;
  },
};
