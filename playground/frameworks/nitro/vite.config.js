import { nitro } from 'nitro/vite';
import wasmPrecompile from 'unplugin-wasm-precompile/vite';

export default {
  plugins: [
    wasmPrecompile(),
    nitro({
      serverDir: 'server',
      // Nitro's own plugin for wasm files would replace the imports of this one.
      wasm: false,
      // Nitro bundles packages by default. `*` copies all files of the package, also the wasm file.
      traceDeps: ['sql.js*'],
    }),
  ],
};
