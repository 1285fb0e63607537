/** esbuild: its settings for the set-up that it shares with Bun. */
import { dirname, relative, resolve } from 'node:path';
import type { BuildResult, OutputFile as WrittenFile, PluginBuild } from 'esbuild';
import type { UnpluginOptions } from 'unplugin';
import type { BundlerContext } from '../../build/bundler-context.ts';
import { type ExternalImport, packageName } from '../../build/discover/external/packages.ts';
import { findHash } from '../../build/output/find-hash.ts';
import { type GeneratedOutput, nameByPattern } from '../../build/output/generated-output.ts';
import type { OutputFile } from '../../build/output/rewrite-output.ts';
import type { WasmPlugin } from '../../build/plugin.ts';
import { sha256 } from '../../common/sha256.ts';
import { NAME } from '../../common/version.ts';
import { filesOnDisk } from '../files-on-disk.ts';
import { setUp } from './set-up.ts';
import { FILE_NAMESPACE, NOT_WRITTEN, OWN_REQUEST, type Settings } from './settings.ts';

type BuildOptions = PluginBuild['initialOptions'];

export function esbuildPlugins(plugin: WasmPlugin): UnpluginOptions[] {
  return [{ name: NAME, esbuild: { setup: (build) => setUp(plugin, build, settingsOf(plugin, build)) } }];
}

function settingsOf(plugin: WasmPlugin, build: PluginBuild): Settings {
  const { initialOptions: options } = build;
  const root = options.absWorkingDir ?? process.cwd();
  const { outdir, outfile, publicPath, logLevel } = options;
  const directory = outdir ?? (outfile === undefined ? undefined : dirname(outfile));
  const folder = directory === undefined || options.write === false ? undefined : resolve(root, directory);
  const isNode = options.platform === 'node';
  const platform = isNode ? 'node' : options.platform === 'neutral' ? undefined : 'browser';
  // Without esbuild's description of its output, the plugin does not know what the files are.
  if (plugin.trains || plugin.mayRegister(plugin.platform(platform))) options.metafile = true;
  const format = options.format ?? (isNode ? 'cjs' : options.platform === 'neutral' ? 'esm' : 'iife');
  const describe = outputDescriber(options, root, folder);
  return {
    platform,
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
    generated: (result) =>
      options.bundle !== true && options.format === undefined
        ? 'esbuild does not say the format of files that it does not bundle'
        : format === 'iife'
          ? 'the output format "iife" has no imports'
          : describeGenerated(result, options, format, root, directory),
  };
}

/** @param directory of the output; undefined if the files have no names */
function describeGenerated(
  { metafile, outputFiles }: BuildResult,
  { assetNames = '[name]-[hash]', write = true }: BuildOptions,
  format: 'esm' | 'cjs',
  root: string,
  directory: string | undefined,
): GeneratedOutput | string {
  if (!metafile || directory === undefined) return NOT_WRITTEN;
  const folder = resolve(root, directory);
  const nameOf = (output: string) => relative(folder, resolve(root, output)).replaceAll('\\', '/');
  const outputs = Object.entries(metafile.outputs);
  const found = new Map(
    outputs.flatMap(([output, { imports }]) =>
      imports
        .filter(({ external, path }) => external && packageName(path) !== undefined)
        .map(({ path }): [string, ExternalImport] => {
          const from = dirname(resolve(root, output));
          return [`${from}\0${path}`, { specifier: path, folder: from }];
        }),
    ),
  );
  return {
    format: format === 'esm' ? 'esm' : 'cjs',
    imports: [...found.values()],
    entries: outputs
      .filter(([output, { entryPoint }]) => entryPoint !== undefined && SCRIPT.test(output))
      .map(([output]) => nameOf(output)),
    nameAsset: (name, digest) => nameByPattern(assetNames, name, digest),
    ...(write ? filesOnDisk(folder) : filesInMemory(folder, outputFiles ?? [])),
  };
}

const SCRIPT = /\.[cm]?js$/;

/** The files that esbuild returns instead of writing them. */
function filesInMemory(folder: string, outputFiles: WrittenFile[]): Pick<GeneratedOutput, 'read' | 'write'> {
  const find = (name: string) => outputFiles.find(({ path }) => path === resolve(folder, name));
  return {
    read: async (name) => find(name)?.text,
    write: async (name, contents) => {
      const file: WrittenFile = {
        path: resolve(folder, name),
        contents,
        hash: sha256(contents),
        get text() {
          return Buffer.from(contents).toString();
        },
      };
      const existing = find(name);
      if (existing) outputFiles[outputFiles.indexOf(existing)] = file;
      else outputFiles.push(file);
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
