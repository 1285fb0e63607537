/** esbuild, and Bun, whose bundler has esbuild's plugin interface. */
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, isAbsolute, relative, resolve } from 'node:path';
import type { BuildResult, ImportKind, Loader, OnLoadResult, PluginBuild } from 'esbuild';
import type { UnpluginOptions } from 'unplugin';
import { type WasmPlugin, runtimeFile } from '../../build/plugin.ts';
import type { BundlerContext, EmittedFile, WrittenOutput } from '../../build/bundler-context.ts';
import { findHash } from '../../build/output/file-names.ts';
import { RUNTIME_LOADING_TEXT } from '../../build/discover/find-runtime-loading.ts';
import type { Platform } from '../../build/codegen/generate.ts';
import { parseScript, type ScriptLanguage } from '../../build/discover/parse-script.ts';
import { hasSideEffects, splitRequest } from '../../build/requests/request.ts';
import { sha256 } from '../../common/sha256.ts';
import { SCRIPT_ID, type RewrittenScript } from '../../build/discover/rewrite-runtime-loading.ts';
import { messageOf, WasmPrecompileError } from '../../common/error.ts';
import { NAME } from '../../common/version.ts';
import { isFolder } from '../is-folder.ts';

/** Files that are emitted, as modules of which the bundler makes files. */
const FILE_NAMESPACE = 'wasm-precompile-file';

/** Keeps us from answering our own question. */
const ASKED = Symbol('asked');

/** How imports of wasm files may be written that are ours. */
const KINDS = new Set(['import-statement', 'dynamic-import', 'require-call']);

/** In which esbuild and Bun differ. */
interface Settings {
  platform: Platform | undefined;
  format: string;
  publicPath: string | undefined;
  /** Absolute path; undefined where nothing is written. */
  folder: string | undefined;
  /** Paths in ids are relative to this one, where the bundler lets them be; else undefined. */
  root: string | undefined;
  /** The expression for the directory of the running file and a path from there, in CommonJS. */
  commonJsPath: (file: string) => string;
  /** The expression for the running file's URL; undefined where it is `import.meta.url`. */
  runningFile: string | undefined;
  /** What the user makes of files, by the ends of their names. */
  loaders: Readonly<Record<string, Loader>>;
  /** Whether source maps are written, of which those in modules are a part. */
  sourceMaps: boolean;
  info: (message: string) => void;
  /** Where the bundler takes no warnings of hooks, nor errors that are not thrown. */
  warn?: (message: string) => void;
  resolver: (kind: ImportKind) => BundlerContext['resolve'];
  written: (
    result: BuildResult,
    emitted: ReadonlyMap<string, Uint8Array>,
  ) => Pick<WrittenOutput, 'files' | 'find'>;
}

export function esbuildPlugins(bundle: WasmPlugin): UnpluginOptions[] {
  return [
    { name: NAME, esbuild: { setup: (build) => setUp(bundle, build, settingsOfEsbuild(bundle, build)) } },
  ];
}

export function bunPlugins(bundle: WasmPlugin): UnpluginOptions[] {
  return [
    {
      name: NAME,
      bun: {
        setup(build: unknown) {
          const { config } = build as BunBuild;
          if (config.target === 'bun') bundle.settings = { ...bundle.settings, plain: 'for Bun' };
          setUp(bundle, build as PluginBuild, settingsOfBun(config));
        },
      },
    },
  ];
}

function setUp(bundle: WasmPlugin, build: PluginBuild, settings: Settings): void {
  const { platform, format, publicPath, folder, root } = settings;
  /** By the paths of their modules. */
  const emitted = new Map<string, Uint8Array>();
  let builds = 0;
  const warnings: string[] = [];
  const context: BundlerContext = {
    addWatchFile: () => {},
    warn: settings.warn ?? ((message) => warnings.push(message)),
    info: settings.info,
    resolve: async () => null,
    emit: () => {
      throw new Error('files are emitted by modules');
    },
    // Neither says so.
    get watchMode() {
      return builds > 1;
    },
    platform: bundle.platform(platform),
    environment: '',
    runningFile: settings.runningFile,
  };
  const takeWarnings = () => warnings.splice(0).map((text) => ({ text }));
  bundle.format = format;

  build.onStart(() => {
    builds++;
    bundle.start(context);
    bundle.startOutput(folder, undefined);
  });

  build.onResolve({ filter: /^wasm-precompile:/ }, ({ path }) => {
    const [, file] = /^wasm-precompile:file\/(.+)$/.exec(path) ?? [];
    return file === undefined
      ? { path: runtimeFile(path) ?? path }
      : { path: file, namespace: FILE_NAMESPACE };
  });

  // Builds for another platform than the option says know nothing of Node's modules.
  build.onResolve({ filter: /^node:/ }, async ({ path, importer, namespace }) => {
    const ours = namespace === NAME || (await bundle.resolve(context, path, importer)) !== undefined;
    return ours ? { path, external: true } : undefined;
  });

  build.onResolve({ filter: /\.wasm(\?.*)?$/ }, async (args) => {
    if (args.pluginData === ASKED || !KINDS.has(args.kind)) return undefined;
    const importer = fileOf(args.importer, root);
    const id = await bundle.resolve(
      { ...context, resolve: settings.resolver(args.kind) },
      args.path,
      importer,
    );
    if (typeof id !== 'string') return undefined;
    return {
      path: root === undefined ? id : relative(root, id),
      namespace: NAME,
      sideEffects: hasSideEffects(id),
    };
  });

  build.onLoad({ filter: /.*/, namespace: NAME }, async ({ path }) => {
    const id = root === undefined ? path : resolve(root, path);
    const { file } = splitRequest(id);
    const watchFiles: string[] = [];
    const watchDirs: string[] = [];
    const imports: string[] = [];
    const emit = (name: string, source: Uint8Array): EmittedFile => {
      if (publicPath && context.platform === 'node') throw noPublicPath(publicPath);
      const digest = sha256(source);
      const fileId = `${digest.slice(0, 16)}/${name}`;
      emitted.set(fileId, source);
      const variable = `file${imports.length}`;
      imports.push(`import ${variable} from ${JSON.stringify(`wasm-precompile:file/${fileId}`)};`);
      return { id: fileId, url: fileUrl(variable, context.platform, settings) };
    };
    let code;
    try {
      code = await bundle.load(
        {
          ...context,
          resolve: settings.resolver('import-statement'),
          addWatchFile: (watched) => {
            watchFiles.push(watched);
            // Of a folder it is told only whether other files are there.
            if (!isFolder(watched)) return;
            watchDirs.push(watched);
            watchFiles.push(...readdirSync(watched).map((name) => resolve(watched, name)));
          },
          emit,
        },
        id,
      );
    } catch (error) {
      if (settings.warn) throw error;
      // So that the file is watched until it is right again.
      return { errors: [{ text: messageOf(error), detail: error }], watchFiles, watchDirs };
    }
    if (format !== 'esm' && context.platform === 'node') {
      imports.push('import { pathToFileURL } from "node:url";');
    }
    const contents = [...imports, code].join('\n');
    return {
      contents,
      loader: 'js',
      resolveDir: dirname(file),
      watchFiles,
      watchDirs,
      warnings: takeWarnings(),
    };
  });

  if (bundle.detectsRuntimeLoading(context.platform)) {
    build.onLoad({ filter: SCRIPT_ID, namespace: 'file' }, ({ path, with: attributes }) => {
      const loader = loaderOf(path, settings.loaders);
      return isScript(loader) && Object.keys(attributes ?? {}).length === 0
        ? loadGlue(bundle, context, settings, path, loader)
        : undefined;
    });
  }

  build.onLoad({ filter: /.*/, namespace: FILE_NAMESPACE }, ({ path }) => {
    const contents = emitted.get(path);
    return contents && { contents, loader: 'file' };
  });

  build.onEnd(async (result) => {
    if ((result.errors ?? []).length === 0) {
      await bundle.train(context, {
        ...settings.written(result, emitted),
        folder,
        keepNames: 'the bundler tells of them as they were',
        update: () => {},
      });
      await bundle.summarize(context, folder);
    }
    emitted.clear();
    return { warnings: takeWarnings() };
  });
}

/** The expression for a file's URL. The variable holds its path, from the running file on, or what `publicPath` makes of it. */
function fileUrl(file: string, platform: Platform, { format, publicPath, commonJsPath }: Settings): string {
  if (publicPath) return file;
  // Names may have characters that mean something in URLs.
  const url = `${file}.split("/").map(encodeURIComponent).join("/")`;
  if (format === 'esm') return `new URL(${url}, import.meta.url).href`;
  return platform === 'node'
    ? `pathToFileURL(${commonJsPath(file)}).href`
    : `new URL(${url}, globalThis.document?.currentScript?.src ?? location.href).href`;
}

/** Only what is changed: other plugins, and the bundler, load all else. */
async function loadGlue(
  bundle: WasmPlugin,
  context: BundlerContext,
  { resolver, sourceMaps, runningFile }: Settings,
  file: string,
  loader: ScriptLanguage,
): Promise<OnLoadResult | undefined> {
  // In an archive, which only the bundler can read.
  const code = await readFile(file, 'utf8').catch(() => undefined);
  if (code === undefined || !RUNTIME_LOADING_TEXT.test(code)) return undefined;
  const changed = await bundle.rewriteRuntimeLoading(
    { ...context, resolve: resolver('import-statement') },
    code,
    file,
    {
      parse: (text) => parseScript(text, loader),
      commonJs: true,
      hasImportMeta: runningFile === undefined,
      hasNode: true,
    },
  );
  if (!changed) return undefined;
  return { contents: sourceMaps ? withMap(changed, code, file) : changed.code, loader, watchFiles: [file] };
}

/** By the longest end of a file's name that says it. */
function loaderOf(file: string, loaders: Settings['loaders']): Loader | undefined {
  const name = basename(file);
  for (let at = name.indexOf('.'); at !== -1; at = name.indexOf('.', at + 1)) {
    const loader = loaders[name.slice(at)] ?? LOADERS[name.slice(at)];
    if (loader) return loader;
  }
  return undefined;
}

const LOADERS: Settings['loaders'] = {
  '.js': 'js',
  '.cjs': 'js',
  '.mjs': 'js',
  '.jsx': 'jsx',
  '.ts': 'ts',
  '.cts': 'ts',
  '.mts': 'ts',
  '.tsx': 'tsx',
};

function isScript(loader: Loader | undefined): loader is ScriptLanguage {
  return loader === 'js' || loader === 'jsx' || loader === 'ts' || loader === 'tsx';
}

function withMap({ code, map }: RewrittenScript, original: string, file: string): string {
  map.sources = [basename(file)];
  map.sourcesContent = [original];
  return `${code}\n//# sourceMappingURL=${map.toUrl()}`;
}

function noPublicPath(publicPath: string): WasmPrecompileError {
  return new WasmPrecompileError(
    'INVALID_OPTIONS',
    `unplugin-wasm-precompile: the bundler's option \`publicPath\` ("${publicPath}") puts URLs before the names of files, ` +
      'which a program in Node reads from the disk. Leave it out where the output is for Node.',
  );
}

/** Of importers, which may be ids of ours. */
function fileOf(importer: string, root: string | undefined): string | undefined {
  if (importer === '') return undefined;
  return root === undefined || isAbsolute(importer) ? importer : resolve(root, importer);
}

function settingsOfEsbuild(bundle: WasmPlugin, build: PluginBuild): Settings {
  const { initialOptions: options } = build;
  const root = options.absWorkingDir ?? process.cwd();
  const { outdir, outfile, publicPath, entryNames, chunkNames, assetNames, logLevel } = options;
  const directory = outdir ?? (outfile === undefined ? undefined : dirname(outfile));
  const folder = directory === undefined || options.write === false ? undefined : resolve(root, directory);
  // Training asks for what was written.
  if (bundle.trains) options.metafile = true;
  const isNode = options.platform === 'node';
  const format = options.format ?? (isNode ? 'cjs' : options.platform === 'neutral' ? 'esm' : 'iife');
  const patterns = [entryNames, chunkNames ?? '[name]-[hash]', assetNames ?? '[name]-[hash]'].map(
    (pattern) => `${(pattern ?? '').replace('[dir]/', '[dir]')}[ext]`,
  );
  const describe = (output: string) => {
    const name = relative(folder ?? '', resolve(root, output)).replaceAll('\\', '/');
    return { name, hash: patterns.map((pattern) => findHash(name, pattern)).find((hash) => hash) };
  };
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
    resolver: (kind) => async (path, importer) => {
      const from = importer === undefined ? {} : { importer, resolveDir: dirname(importer) };
      const resolved = await build.resolve(path, { kind, pluginData: ASKED, ...from });
      const { errors, path: id, external, namespace } = resolved;
      return errors.length > 0 || namespace !== 'file' ? null : { id, external };
    },
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

/** What is used of Bun's own. */
declare const Bun: { resolveSync(request: string, folder: string): string };

/** What is used of Bun's `PluginBuilder`. */
interface BunBuild {
  config: {
    target?: string;
    format?: string;
    publicPath?: string;
    outdir?: string;
    loader?: Record<string, Loader>;
  };
}

interface BunResult {
  outputs: { path: string; kind: string; hash: string | null }[];
}

function settingsOfBun(config: BunBuild['config']): Settings {
  const { target = 'browser', format = 'esm', publicPath, outdir, loader = {} } = config;
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
    // Relative ones would be files of the working directory.
    root: undefined,
    // Bun makes a constant of `__dirname`: the source's folder.
    commonJsPath: (file) => `require.resolve(${file})`,
    runningFile: undefined,
    loaders: loader,
    // It takes none of modules.
    sourceMaps: false,
    info: (message) => console.error(`[${NAME}] ${message}`),
    warn: (message) => console.warn(`[${NAME}] warning: ${message}`),
    // `build.resolve` is not there yet; where a file is, Bun's runtime says (https://github.com/oven-sh/bun/issues/2771).
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
  };
}
