/** Bun, whose bundler has esbuild's plugin interface: its settings for the common set-up. */
import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import type { Loader, PluginBuild } from 'esbuild';
import type { UnpluginOptions } from 'unplugin';
import { importsInCode } from '../../build/discover/external/imports-in-code.ts';
import { nameByPattern } from '../../build/output/generated-output.ts';
import type { WasmPlugin } from '../../build/plugin.ts';
import { NAME } from '../../common/version.ts';
import { filesOnDisk } from '../files-on-disk.ts';
import { setUp } from '../esbuild/set-up.ts';
import { NOT_WRITTEN, type Settings } from '../esbuild/settings.ts';

/** What is used of Bun's global. */
declare const Bun: { resolveSync(request: string, folder: string): string };

/** What is used of Bun's `PluginBuilder`. */
interface BunBuild {
  config: {
    target?: string;
    format?: string;
    publicPath?: string;
    outdir?: string;
    naming?: string | { asset?: string };
    loader?: Record<string, Loader>;
  };
}

interface BunResult {
  outputs: { path: string; kind: string; hash: string | null }[];
}

export function bunPlugins(plugin: WasmPlugin): UnpluginOptions[] {
  return [
    {
      name: NAME,
      bun: {
        setup(build: unknown) {
          const { config } = build as BunBuild;
          if (config.target === 'bun') plugin.settings = { ...plugin.settings, plain: 'for Bun' };
          setUp(plugin, build as PluginBuild, settingsOf(config));
        },
      },
    },
  ];
}

function settingsOf(config: BunBuild['config']): Settings {
  const { target = 'browser', format = 'esm', publicPath, outdir, naming, loader = {} } = config;
  const folder = outdir === undefined ? undefined : resolve(outdir);
  const describe = ({ path, hash }: BunResult['outputs'][number]) => {
    const name = relative(folder ?? '', path);
    const start = hash ? name.lastIndexOf(hash) : -1;
    return { name, hash: hash && start !== -1 ? { start, length: hash.length } : undefined };
  };
  return {
    platform: target === 'browser' ? 'browser' : 'node',
    format,
    publicPath,
    folder,
    // Bun resolves relative paths in ids against the working directory.
    root: undefined,
    // Bun replaces `__dirname` with a constant, the source's folder.
    commonJsPath: (file) => `require.resolve(${file})`,
    runningFile: undefined,
    loaders: loader,
    // Bun ignores the source maps in modules.
    sourceMaps: false,
    info: (message) => console.error(`[${NAME}] ${message}`),
    warn: (message) => console.warn(`[${NAME}] warning: ${message}`),
    // Bun has no `build.resolve` yet (https://github.com/oven-sh/bun/issues/2771), so its runtime resolves.
    resolver: () => async (path, importer) => {
      try {
        const id = Bun.resolveSync(path, importer === undefined ? process.cwd() : dirname(importer));
        return { id, external: false };
      } catch {
        return null;
      }
    },
    written: (result, emitted) => {
      const { outputs } = result as unknown as BunResult;
      return {
        files: () => outputs.map(describe),
        find: (id) => {
          const source = emitted.get(id);
          const found = outputs.find(
            ({ path, kind }) => kind === 'asset' && source && readFileSync(path).equals(source),
          );
          return found && describe(found);
        },
      };
    },
    generated: (result) => {
      if (folder === undefined) return NOT_WRITTEN;
      if (format !== 'esm' && format !== 'cjs') return `the output format "${format}" has no imports`;
      const { outputs } = result as unknown as BunResult;
      const scripts = outputs.filter(({ kind }) => kind === 'entry-point' || kind === 'chunk');
      return {
        format,
        imports: scripts.flatMap(({ path }) =>
          importsInCode(readFileSync(path, 'utf8'), [dirname(path), process.cwd()]),
        ),
        entries: scripts
          .filter(({ kind, path }) => kind === 'entry-point' && /\.[cm]?js$/.test(path))
          .map(({ path }) => relative(folder, path).replaceAll('\\', '/')),
        nameAsset: (name, digest) =>
          nameByPattern((typeof naming === 'object' && naming.asset) || '[name]-[hash].[ext]', name, digest),
        ...filesOnDisk(folder),
      };
    },
  };
}
