/** The unplugin: one set of hooks for each family of bundlers (`bundlers/`), which call `build/plugin.ts`. */
import { createUnplugin, type UnpluginFactory, type UnpluginInstance } from 'unplugin';
import { bunPlugins } from './bundlers/bun/plugin.ts';
import { esbuildPlugins } from './bundlers/esbuild/plugin.ts';
import { farmPlugins } from './bundlers/farm/plugin.ts';
import { rollupPlugins } from './bundlers/rollup/plugin.ts';
import { webpackPlugins } from './bundlers/webpack/plugin.ts';
import { WasmPlugin } from './build/plugin.ts';
import { resolveOptions } from './build/options/resolve.ts';
import type { Options } from './build/options/types.ts';

export type {
  CacheStore,
  Delivery,
  Options,
  RecompileOptions,
  SplitOptions,
  TrainingOptions,
  WebOptions,
} from './build/options/types.ts';
export type { CpuLevel } from './v8/cpu.ts';
export type { StripMode } from './wasm/binary/strip.ts';
export type { FilterPattern } from 'unplugin-utils';
export { WasmPrecompileError } from './common/error.ts';

const factory: UnpluginFactory<Options | undefined, true> = (options, { framework }) => {
  const plugin = new WasmPlugin(resolveOptions(options));
  switch (framework) {
    case 'webpack':
    case 'rspack':
      return webpackPlugins(plugin);
    case 'esbuild':
      return esbuildPlugins(plugin);
    case 'bun':
      return bunPlugins(plugin);
    case 'farm':
      return farmPlugins(plugin);
    default:
      return rollupPlugins(plugin);
  }
};

const { vite, rollup, rolldown, webpack, rspack, esbuild, bun, farm } =
  /* @__PURE__ */ createUnplugin(factory);

/** A plugin for Bun, without Bun's types: they may not be installed. */
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

/** The plugin for each supported bundler. */
const wasmPrecompile: WasmPrecompile = { vite, rollup, rolldown, webpack, rspack, esbuild, bun, farm };

export default wasmPrecompile;
