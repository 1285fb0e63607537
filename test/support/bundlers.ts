/** Builds with each bundler through its JavaScript API, with the plugin as it is packed. */
import { isAbsolute, join } from 'node:path';
import { type OutputOptions as RolldownOutput, rolldown } from 'rolldown';
import { type LogLevel, type OutputOptions as RollupOutput, rollup } from 'rollup';
import type { Options } from 'unplugin-wasm-precompile';
import rolldownPlugin from 'unplugin-wasm-precompile/rolldown';
import rollupPlugin from 'unplugin-wasm-precompile/rollup';
import vitePlugin from 'unplugin-wasm-precompile/vite';
import * as vite8 from 'vite';
import { createLogger, type InlineConfig, type Logger, mergeConfig } from 'vite';
import * as vite6 from 'vite6';
import * as vite7 from 'vite7';
import { buildOther, OTHER_BUNDLERS, type OtherBuild, type OtherBundler } from './other-bundlers.ts';
import { type Project, SHARED_CACHE } from './project.ts';

/** The newest Vite and the older supported versions. */
export type ViteName = 'vite' | 'vite7' | 'vite6';

export type Bundler = 'vite' | 'rollup' | 'rolldown';

/** The bundlers with Rollup's plugin interface. */
export const BUNDLERS: Bundler[] = ['vite', 'rollup', 'rolldown'];

export const ALL_BUNDLERS: (Bundler | OtherBundler)[] = [...BUNDLERS, ...OTHER_BUNDLERS];

/** Returns whether a bundler supports plugins with Rollup's interface. */
export function hasRollupPlugins(bundler: string): boolean {
  return !isOther(bundler);
}

export const OLDER_VITES = ['vite7', 'vite6'] as const satisfies ViteName[];

/** The part of Vite's API that tests use, which is the same in all three versions. */
type ViteApi = Pick<typeof vite8, 'build' | 'preview'>;

/** The types of older versions differ only in parts that no test uses, such as plugins of their bundler. */
export const VITES: Record<ViteName, ViteApi> = {
  vite: vite8,
  vite7: vite7 as unknown as ViteApi,
  vite6: vite6 as unknown as ViteApi,
};

export interface BuildOptions {
  /** Default: `main.js`. */
  entry?: string;
  /** More entries, relative to the project. */
  entries?: string[];
  /** Options of the plugin; false for a build without it. */
  plugin?: PluginOptions | false;
  /** Output options with Rollup's names; other bundlers receive their equivalents. */
  output?: {
    format?: 'es' | 'cjs';
    entryFileNames?: string;
    chunkFileNames?: string;
    assetFileNames?: string | ((asset: { names: string[] }) => string);
    sourcemap?: boolean | 'inline' | 'hidden';
    sourcemapFileNames?: string;
    /** Relative to the project. Default: `out`. */
    dir?: string;
  };
  /** Vite only. */
  vite?: InlineConfig;
  /** Packages that are not bundled; Vite decides for itself. Default: packages that the tests' programs import. */
  external?: (string | RegExp)[];
  /** Options of bundlers without Rollup's interface. */
  other?: Partial<OtherBuild>;
  /** Plugins for Vite, Rollup and Rolldown that come before ours. */
  plugins?: CommonPlugin[];
  /** Plugins that come after ours. */
  pluginsAfter?: CommonPlugin[];
}

/** A plugin in the part of Rollup's interface that Vite, Rollup and Rolldown share. */
export interface CommonPlugin {
  name: string;
  resolveId?: (id: string, importer: string | undefined) => Promise<string | undefined> | string | undefined;
  load?: (id: string) => string | undefined;
  transform?: (code: string) => string | undefined;
  renderChunk?: (code: string) => string;
  writeBundle?: {
    order: 'post';
    sequential: true;
    handler: (options: unknown, bundle: Record<string, BundledFile>) => void;
  };
  onLog?: (level: string, log: { message: string; plugin?: string | undefined }) => undefined;
}

/** Returns a plugin that collects the info messages of ours, and these messages. */
export function listen(): { plugins: CommonPlugin[]; infos: string[] } {
  const infos: string[] = [];
  const listener: CommonPlugin = {
    name: 'listener',
    onLog(level, { message, plugin }) {
      if (level === 'info' && plugin === 'unplugin-wasm-precompile') infos.push(message);
      return undefined;
    },
  };
  return { plugins: [listener], infos };
}

/** A bundler's description of an output file. */
export interface BundledFile {
  fileName: string;
  code?: string;
  source?: string | Uint8Array;
  map?: { file?: string | undefined; sourcesContent?: (string | null)[] | undefined } | null;
  imports?: string[];
  dynamicImports?: string[];
}

export interface BuildResult {
  /** Absolute path of the output. */
  dir: string;
  /** Paths of all output files, relative to `dir`, sorted. */
  files: string[];
  /** The artifacts among them. */
  artifacts: string[];
  warnings: string[];
  /** The output that the bundler has returned. */
  bundled: BundledFile[];
}

/** Options in addition to those of all tests; undefined removes one of these. */
export type PluginOptions = { [Name in keyof Options]?: Options[Name] | undefined };

/**
 * Small modules are precompiled, too, and packages outside the bundle are not traced, unless a test sets other
 * options.
 */
function pluginOptions(options: PluginOptions): Options {
  return { cache: SHARED_CACHE, inline: 0, threshold: 0, external: false, ...options } as Options;
}

/** npm packages that the tests' programs import at run time. */
const EXTERNAL = ['sql.js', '@resvg/resvg-wasm'];

/** Rolldown warns about slow plugins, and compilation is slow. */
const CHECKS = { pluginTimings: false };

/** Builds a project for Node. */
export async function build(
  bundler: Bundler | ViteName | OtherBundler,
  project: Project,
  options: BuildOptions = {},
): Promise<BuildResult> {
  const { entry = 'main.js', entries = [], plugins = [], pluginsAfter = [], external = EXTERNAL } = options;
  const { dir = 'out', ...names } = options.output ?? {};
  const output = { format: 'es' as const, dir: project.path(dir), entryFileNames: '[name].js', ...names };
  const warnings: string[] = [];
  const plugin = options.plugin ?? {};
  let bundled: BundledFile[] = [];

  if (isOther(bundler)) {
    warnings.push(...(await buildOther(bundler, otherBuild(project, options))));
  } else if (bundler !== 'rollup' && bundler !== 'rolldown') {
    bundled = await buildWithVite(project, { ...options, bundler, warnings, ssr: entry });
  } else {
    const input = [entry, ...entries].map((each) => (isAbsolute(each) ? each : project.path(each)));
    const onLog = (level: LogLevel, { message }: { message: string }) => {
      if (level === 'warn') warnings.push(message);
    };
    const run =
      bundler === 'rollup'
        ? await rollup({
            input,
            external,
            onLog,
            plugins: [...plugins, plugin && rollupPlugin(pluginOptions(plugin)), ...pluginsAfter],
          })
        : await rolldown({
            cwd: project.folder,
            input,
            external,
            checks: CHECKS,
            onLog,
            plugins: [...plugins, plugin && rolldownPlugin(pluginOptions(plugin)), ...pluginsAfter],
          });
    bundled = (await run.write(output satisfies RollupOutput & RolldownOutput)).output as BundledFile[];
    await run.close();
  }
  return result(project, dir, warnings, bundled);
}

function isOther(bundler: string): bundler is OtherBundler {
  return OTHER_BUNDLERS.includes(bundler as OtherBundler);
}

/** Returns the description of a build for bundlers without Rollup's interface. */
export function otherBuild(
  project: Project,
  { entry = 'main.js', entries = [], plugin = {}, output = {}, external = EXTERNAL, other }: BuildOptions,
): OtherBuild {
  const { dir = 'out', format = 'es', assetFileNames } = output;
  return {
    project,
    entries: [entry, ...entries].map((each) => (isAbsolute(each) ? each : project.path(each))),
    plugin: plugin ? pluginOptions(plugin) : undefined,
    format,
    platform: 'node',
    dir: project.path(dir),
    names: {
      entry: output.entryFileNames ?? '[name].js',
      chunk: output.chunkFileNames ?? '[name]-[hash].js',
      asset: typeof assetFileNames === 'string' ? assetFileNames : 'assets/[name]-[hash][extname]',
    },
    sourceMaps: Boolean(output.sourcemap),
    external: external.map(String),
    ...other,
  };
}

/** Builds a project for a browser, with Vite; its `index.html` is the entry. */
export async function buildClient(
  project: Project,
  { bundler = 'vite', ...options }: Omit<BuildOptions, 'entry'> & { bundler?: ViteName } = {},
): Promise<BuildResult> {
  const warnings: string[] = [];
  const bundled = await buildWithVite(project, { ...options, bundler, warnings, ssr: false });
  return result(project, options.output?.dir ?? 'out', warnings, bundled);
}

async function buildWithVite(
  project: Project,
  {
    bundler,
    ssr,
    warnings,
    entries = [],
    plugin = {},
    plugins = [],
    pluginsAfter = [],
    output = {},
    vite = {},
  }: BuildOptions & {
    bundler: ViteName;
    ssr: string | false;
    warnings: string[];
  },
): Promise<BundledFile[]> {
  const { dir = 'out', ...names } = output;
  const config = viteConfig(project, warnings, plugin);
  config.plugins?.push(...plugins, ...pluginsAfter);
  const input =
    entries.length > 0 && ssr ? { input: [ssr, ...entries].map((each) => project.path(each)) } : {};
  config.build = {
    ssr: ssr && entries.length > 0 ? true : ssr,
    outDir: project.path(dir),
    minify: false,
    ...(bundler === 'vite'
      ? { rolldownOptions: { ...input, output: names, checks: CHECKS } }
      : { rollupOptions: { ...input, output: names } }),
    // Vite 6 targets browsers without top-level await by default, also for output for Node: see README, "Requirements".
    ...(bundler === 'vite6' && { target: ssr ? 'node20' : 'es2022' }),
  };
  const built = await VITES[bundler].build(mergeConfig(config, vite));
  if (!('output' in built)) throw new Error('Vite gives no single output');
  return built.output as BundledFile[];
}

/** Returns a configuration for any command of Vite. */
export function viteConfig(
  project: Project,
  warnings: string[],
  plugin: PluginOptions | false = {},
): InlineConfig {
  return {
    root: project.folder,
    configFile: false,
    cacheDir: project.path('.vite'),
    customLogger: collector(warnings),
    logLevel: 'warn',
    plugins: [plugin && vitePlugin(pluginOptions(plugin))],
  };
}

/** Builds the page `index.html` into `client` and its server `main.js` into `server`, with Vite's environments. */
export async function buildBothSides(
  project: Project,
  config: InlineConfig,
  sharedPlugins: boolean,
): Promise<void> {
  const builder = await vite8.createBuilder({
    ...config,
    builder: { sharedPlugins },
    environments: {
      client: { build: { outDir: project.path('client') } },
      ssr: {
        build: { outDir: project.path('server'), rolldownOptions: { input: project.path('main.js') } },
      },
    },
  });
  await builder.buildApp();
  for (const environment of Object.values(builder.environments)) {
    if (!environment.isBuilt) await builder.build(environment);
  }
}

function collector(warnings: string[]): Logger {
  const logger = createLogger('silent');
  const warn = (message: string) => {
    warnings.push(message);
  };
  return { ...logger, warn, warnOnce: warn };
}

async function result(
  project: Project,
  dir: string,
  warnings: string[],
  bundled: BundledFile[],
): Promise<BuildResult> {
  const files = await project.list(dir);
  const artifacts = files.filter((file) => file.endsWith('.elf'));
  return { dir: project.path(dir), files, artifacts, warnings, bundled };
}

/** Returns the only artifact of a build. */
export function onlyArtifact({ dir, artifacts }: BuildResult): string {
  const [artifact, ...others] = artifacts;
  if (artifact === undefined || others.length > 0)
    throw new Error(`Artifacts in ${dir}: ${artifacts.join(', ')}`);
  return join(dir, artifact);
}
