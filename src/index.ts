/** The unplugin: one set of hooks for each family of bundlers (bundlers/), which call `core/bundle.ts`. */
import { createUnplugin, type UnpluginFactory, type UnpluginInstance } from 'unplugin';
import { bunPlugins, esbuildPlugins } from './bundlers/esbuild/plugin.ts';
import { farmPlugins } from './bundlers/farm/plugin.ts';
import { rollupPlugins } from './bundlers/rollup/plugin.ts';
import { webpackPlugins } from './bundlers/webpack/plugin.ts';
import { WasmPlugin } from './build/plugin.ts';
import { type Options, resolveOptions } from './build/options/options.ts';

export type { CacheStore } from './build/compile/cache.ts';
export type { Options, TrainingOptions, WebOptions as WebBuildOptions } from './build/options/options.ts';
export { WasmPrecompileError } from './common/error.ts';

const factory: UnpluginFactory<Options | undefined, true> = (options, { framework }) => {
  const bundle = new WasmPlugin(resolveOptions(options));
  switch (framework) {
    case 'webpack':
    case 'rspack':
      return webpackPlugins(bundle);
    case 'esbuild':
      return esbuildPlugins(bundle);
    case 'bun':
      return bunPlugins(bundle);
    case 'farm':
      return farmPlugins(bundle);
    default:
      return rollupPlugins(bundle);
  }
};

const { vite, rollup, rolldown, webpack, rspack, esbuild, bun, farm } =
  /* @__PURE__ */ createUnplugin(factory);

/** A plugin for Bun, whose types are not there unless somebody works with Bun. */
export interface BunPlugin {
  name: string;
  setup: (build: unknown) => void | Promise<void>;
}

interface WasmPrecompile extends Pick<
  UnpluginInstance<Options | undefined, true>,
  'vite' | 'rollup' | 'rolldown' | 'webpack' | 'rspack' | 'esbuild' | 'farm'
> {
  bun: (options?: Options) => BunPlugin;
}

/** The plugin for each bundler that is supported. */
const wasmPrecompile: WasmPrecompile = { vite, rollup, rolldown, webpack, rspack, esbuild, bun, farm };

export default wasmPrecompile;
