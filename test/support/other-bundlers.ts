/** Builds with bundlers without Rollup's interface, for `bundlers.ts`. */
import { fileURLToPath } from 'node:url';
import { rspack } from '@rspack/core';
import { type BuildOptions, build as esbuildBuild } from 'esbuild';
import { execa } from 'execa';
import type { Options } from 'unplugin-wasm-precompile';
import esbuildPlugin from 'unplugin-wasm-precompile/esbuild';
import rspackPlugin from 'unplugin-wasm-precompile/rspack';
import webpackPlugin from 'unplugin-wasm-precompile/webpack';
import { webpack, type Configuration } from 'webpack';
import type { Project } from './project.ts';
import { ensureRuntime } from './runtimes.ts';

export type OtherBundler = 'webpack' | 'rspack' | 'esbuild' | 'farm' | 'bun';

export const OTHER_BUNDLERS: OtherBundler[] = ['webpack', 'rspack', 'esbuild', 'farm', 'bun'];

/** The description of a build; file names are patterns in Rollup's syntax. */
export interface OtherBuild {
  project: Project;
  /** Absolute paths. */
  entries: string[];
  /** Undefined for a build without the plugin. */
  plugin: Options | undefined;
  format: 'es' | 'cjs';
  platform: 'node' | 'browser';
  /** Absolute path. */
  dir: string;
  names: { entry: string; chunk: string; asset: string };
  sourceMaps: boolean;
  /** Packages that are not bundled. */
  external: string[];
  publicPath?: string | undefined;
  /** Bun only; default: the platform. */
  target?: 'bun';
  /** Additional options of webpack and Rspack. */
  webpack?: Configuration | undefined;
  /** Additional options of esbuild. */
  esbuild?: BuildOptions | undefined;
}

/** @returns warnings */
export function buildOther(bundler: OtherBundler, options: OtherBuild): Promise<string[]> {
  switch (bundler) {
    case 'webpack':
    case 'rspack':
      return buildWithWebpack(bundler, options);
    case 'esbuild':
      return buildWithEsbuild(options);
    case 'farm':
      return buildWithFarm(options);
    case 'bun':
      return buildWithBun(options);
  }
}

/** Returns a configuration for webpack or Rspack, which have the same options. */
export function webpackConfig(bundler: 'webpack' | 'rspack', options: OtherBuild): Configuration {
  const { project, entries, plugin, format, platform, dir, names, sourceMaps, external, publicPath } =
    options;
  const isEs = format === 'es';
  const own = bundler === 'webpack' ? webpackPlugin : (rspackPlugin as unknown as typeof webpackPlugin);
  return {
    mode: 'production',
    context: project.folder,
    entry: Object.fromEntries(entries.map((entry) => [nameOf(entry), entry])),
    target: platform === 'node' ? 'node20' : 'web',
    devtool: sourceMaps && 'source-map',
    infrastructureLogging: { level: 'warn' },
    performance: { hints: false },
    optimization: { minimize: false },
    experiments: { outputModule: isEs },
    externalsType: isEs ? 'module' : 'commonjs',
    // Wasm files of external packages are bundled, as with the other bundlers.
    externals: external.map((name) => new RegExp(`^${name}(/(?!.*\\.wasm)|$)`)),
    output: {
      path: dir,
      hashDigestLength: 8,
      module: isEs,
      chunkFormat: isEs ? 'module' : platform === 'node' ? 'commonjs' : 'array-push',
      library: {
        type: isEs ? 'module' : platform === 'node' ? 'commonjs2' : 'var',
        ...(isEs ? {} : { name: 'out' }),
      },
      filename: inWebpack(names.entry),
      chunkFilename: inWebpack(names.chunk),
      assetModuleFilename: inWebpack(names.asset),
      ...(publicPath === undefined ? {} : { publicPath }),
    },
    plugins: plugin ? [own(plugin)] : [],
    ...options.webpack,
  };
}

/** Returns the option `cache` for a cache in a folder, given by its absolute path. */
export function persistentCache(
  bundler: 'webpack' | 'rspack',
  folder: string,
): NonNullable<Configuration['cache']> {
  if (bundler === 'webpack') return { type: 'filesystem', cacheDirectory: folder };
  const cache = { type: 'persistent', storage: { type: 'filesystem', directory: folder } };
  return cache as unknown as NonNullable<Configuration['cache']>;
}

function buildWithWebpack(bundler: 'webpack' | 'rspack', options: OtherBuild): Promise<string[]> {
  const make = bundler === 'webpack' ? webpack : (rspack as unknown as typeof webpack);
  const compiler = make(webpackConfig(bundler, options));
  if (!compiler) throw new Error('there is no compiler');
  return new Promise((resolve, reject) => {
    compiler.run((error, stats) => {
      compiler.close(() => {
        const { errors = [], warnings = [] } =
          stats?.toJson({ all: false, errors: true, warnings: true }) ?? {};
        if (error) reject(error);
        else if (errors.length > 0) reject(new Error(errors.map(({ message }) => message).join('\n')));
        else resolve(warnings.map(({ message }) => message));
      });
    });
  });
}

/** Returns a configuration for esbuild. */
export function esbuildConfig(options: OtherBuild): BuildOptions {
  const { project, entries, plugin, format, platform, dir, names, external, publicPath } = options;
  const extension = /\.\w+$/.exec(names.entry)?.[0] ?? '.js';
  return {
    absWorkingDir: project.folder,
    entryPoints: entries,
    bundle: true,
    format: format === 'es' ? 'esm' : 'cjs',
    splitting: format === 'es',
    platform,
    outdir: dir,
    entryNames: inEsbuild(names.entry),
    chunkNames: inEsbuild(names.chunk),
    assetNames: inEsbuild(names.asset),
    outExtension: { '.js': extension },
    external,
    sourcemap: options.sourceMaps,
    logLevel: 'silent',
    plugins: plugin ? [esbuildPlugin(plugin)] : [],
    ...(publicPath === undefined ? {} : { publicPath }),
    ...options.esbuild,
  };
}

/**
 * The usual options for packages that need features of the other format:
 * https://github.com/evanw/esbuild/issues/1921 and https://github.com/evanw/esbuild/issues/1492.
 */
export const ESBUILD_INTEROP: Record<'es' | 'cjs', BuildOptions> = {
  es: {
    banner: {
      js: `import { createRequire as $createRequire } from 'node:module'; const require = $createRequire(import.meta.url);`,
    },
  },
  cjs: {
    define: { 'import.meta.url': '$importMetaUrl' },
    banner: { js: `const $importMetaUrl = require('node:url').pathToFileURL(__filename).href;` },
  },
};

async function buildWithEsbuild(options: OtherBuild): Promise<string[]> {
  const { warnings } = await esbuildBuild(esbuildConfig(options));
  return warnings.map(({ text }) => text);
}

function buildWithFarm(options: OtherBuild): Promise<string[]> {
  const { project, entries, format, platform, dir, names, external, publicPath } = options;
  return buildInProcess('farm', process.execPath, options, {
    root: project.folder,
    configFile: false,
    compilation: {
      input: Object.fromEntries(entries.map((entry) => [nameOf(entry), entry])),
      output: {
        path: dir,
        format: format === 'es' ? 'esm' : 'cjs',
        targetEnv: platform === 'node' ? 'node-next' : 'browser-esnext',
        entryFilename: names.entry.replace('[name]', '[entryName]'),
        assetsFilename: inFarm(names.asset),
        filename: inFarm(names.chunk),
        ...(publicPath === undefined ? {} : { publicPath }),
      },
      external: external.map((name) => `^${name}(/|$)`),
      // Farm does not resolve packages through the tests' node_modules otherwise, which is a symbolic link.
      resolve: { symlinks: false },
      minify: false,
      persistentCache: false,
      progress: false,
      presetEnv: false,
      sourcemap: options.sourceMaps,
    },
  });
}

async function buildWithBun(options: OtherBuild): Promise<string[]> {
  const { entries, format, platform, dir, names, external, publicPath } = options;
  return buildInProcess('bun', await ensureRuntime('bun'), options, {
    entrypoints: entries,
    format: format === 'es' ? 'esm' : 'cjs',
    splitting: format === 'es',
    target: options.target ?? platform,
    outdir: dir,
    naming: { entry: names.entry, chunk: names.chunk, asset: inBun(names.asset) },
    external: external.flatMap((name) => [name, `${name}/*`]),
    publicPath,
  });
}

async function buildInProcess(
  bundler: 'farm' | 'bun',
  runtime: string,
  { plugin, project }: OtherBuild,
  options: object,
): Promise<string[]> {
  const job = JSON.stringify({ plugin, options });
  const program = fileURLToPath(new URL('./run-bundler.js', import.meta.url));
  const { all } = await execa(runtime, [program, bundler, job], { cwd: project.folder, all: true });
  return all.split('\n').filter((line) => /\bwarn/i.test(line));
}

function nameOf(entry: string): string {
  return entry.replace(/^.*\//, '').replace(/\.\w+$/, '');
}

// The following functions convert patterns of file names from Rollup's syntax, such as `[name]-[hash:10][extname]`.

function inWebpack(pattern: string): string {
  return pattern.replaceAll('[extname]', '[ext]').replaceAll('[hash', '[contenthash');
}

function inEsbuild(pattern: string): string {
  return pattern.replace(/(\[extname\]|\.\w+)$/, '').replace(/\[hash:\d+\]/, '[hash]');
}

function inFarm(pattern: string): string {
  return pattern
    .replace('[name]', '[resourceName]')
    .replace('[extname]', '.[ext]')
    .replace(/\[hash:\d+\]/, '[hash]');
}

function inBun(pattern: string): string {
  return pattern.replace(/(\[extname\]|\.\w+)$/, '.[ext]').replace(/\[hash:\d+\]/, '[hash]');
}
