/** esbuild: its settings for the set-up that it shares with Bun. */
import { dirname, relative, resolve } from 'node:path';
import type { PluginBuild } from 'esbuild';
import type { UnpluginOptions } from 'unplugin';
import type { BundlerContext } from '../../build/bundler-context.ts';
import { findHash } from '../../build/output/find-hash.ts';
import type { OutputFile } from '../../build/output/rewrite-output.ts';
import type { WasmPlugin } from '../../build/plugin.ts';
import { NAME } from '../../common/version.ts';
import { setUp } from './set-up.ts';
import { FILE_NAMESPACE, OWN_REQUEST, type Settings } from './settings.ts';

type BuildOptions = PluginBuild['initialOptions'];

export function esbuildPlugins(plugin: WasmPlugin): UnpluginOptions[] {
  return [
    { name: NAME, esbuild: { setup: (build) => setUp(plugin, build, settingsOf(build, plugin.trains)) } },
  ];
}

/** @param trains whether the plugin will train the output: it then needs esbuild's description of it */
function settingsOf(build: PluginBuild, trains: boolean): Settings {
  const { initialOptions: options } = build;
  const root = options.absWorkingDir ?? process.cwd();
  const { outdir, outfile, publicPath, logLevel } = options;
  const directory = outdir ?? (outfile === undefined ? undefined : dirname(outfile));
  const folder = directory === undefined || options.write === false ? undefined : resolve(root, directory);
  if (trains) options.metafile = true;
  const isNode = options.platform === 'node';
  const format = options.format ?? (isNode ? 'cjs' : options.platform === 'neutral' ? 'esm' : 'iife');
  const describe = outputDescriber(options, root, folder);
  return {
    platform: isNode ? 'node' : options.platform === 'neutral' ? undefined : 'browser',
    format,
    publicPath,
    folder,
    root,
    commonJsPath: (file) => `__dirname + "/" + ${file}`,
    runningFile: format === 'esm' ? undefined : 'pathToFileURL(__filename).href',
    loaders: options.loader ?? {},
    sourceMaps: Boolean(options.sourcemap),
    info: (message) => {
      if (logLevel === 'info' || logLevel === 'debug' || logLevel === 'verbose') {
        console.error(`[${NAME}] ${message}`);
      }
    },
    resolver: (kind) => resolver(build, kind),
    written: ({ metafile }) => {
      const outputs = Object.entries(metafile?.outputs ?? {});
      return {
        files: () => outputs.map(([output]) => describe(output)),
        find: (id) => {
          const found = outputs.find(([, { inputs }]) => `${FILE_NAMESPACE}:${id}` in inputs);
          return found && describe(found[0]);
        },
      };
    },
  };
}

/** Returns a function that finds the hash in an output's path, by the patterns that esbuild names files with. */
function outputDescriber(
  { entryNames, chunkNames, assetNames }: BuildOptions,
  root: string,
  folder: string | undefined,
): (output: string) => OutputFile {
  const patterns = [entryNames, chunkNames ?? '[name]-[hash]', assetNames ?? '[name]-[hash]'].map(
    (pattern) => `${(pattern ?? '').replace('[dir]/', '[dir]')}[ext]`,
  );
  return (output) => {
    const name = relative(folder ?? '', resolve(root, output)).replaceAll('\\', '/');
    return { name, hash: patterns.map((pattern) => findHash(name, pattern)).find((hash) => hash) };
  };
}

function resolver(build: PluginBuild, kind: Parameters<Settings['resolver']>[0]): BundlerContext['resolve'] {
  return async (path, importer) => {
    const from = importer === undefined ? {} : { importer, resolveDir: dirname(importer) };
    const resolved = await build.resolve(path, { kind, pluginData: OWN_REQUEST, ...from });
    const { errors, path: id, external, namespace } = resolved;
    return errors.length > 0 || namespace !== 'file' ? null : { id, external };
  };
}
