/** The hooks for esbuild, and for Bun, whose bundler has esbuild's plugin interface. */
import { readdirSync } from 'node:fs';
import { dirname, isAbsolute, relative, resolve } from 'node:path';
import type { OnLoadResult, OnResolveArgs, OnResolveResult, PluginBuild } from 'esbuild';
import type { BundlerContext, EmittedFile } from '../../build/bundler-context.ts';
import type { Platform } from '../../build/codegen/module-source.ts';
import { SCRIPT_ID } from '../../build/discover/rewrite-runtime-loading.ts';
import type { WasmPlugin } from '../../build/plugin.ts';
import { hasSideEffects, splitRequest } from '../../build/requests/request.ts';
import { runtimeFile } from '../../build/requests/runtime-modules.ts';
import { messageOf, WasmPrecompileError } from '../../common/error.ts';
import { sha256 } from '../../common/sha256.ts';
import { NAME } from '../../common/version.ts';
import { isFolder } from '../is-folder.ts';
import { loadScript } from './load-script.ts';
import { FILE_NAMESPACE, OWN_REQUEST, type Settings } from './settings.ts';

/** Kinds of imports that the import forms apply to. */
const KINDS = new Set(['import-statement', 'dynamic-import', 'require-call']);

export function setUp(plugin: WasmPlugin, build: PluginBuild, settings: Settings): void {
  const hooks = new BuildHooks(plugin, settings);
  plugin.format = settings.format;
  build.onStart(() => hooks.start());
  build.onResolve({ filter: /^wasm-precompile:/ }, ({ path }) => resolveOwn(path));
  build.onResolve({ filter: /^node:/ }, (args) => hooks.resolveNodeModule(args));
  build.onResolve({ filter: /\.wasm(\?.*)?$/ }, (args) => hooks.resolveWasm(args));
  build.onLoad({ filter: /.*/, namespace: NAME }, ({ path }) => hooks.loadWasm(path));
  build.onLoad({ filter: /.*/, namespace: FILE_NAMESPACE }, ({ path }) => hooks.loadEmitted(path));
  if (hooks.detectsRuntimeLoading) {
    build.onLoad({ filter: SCRIPT_ID, namespace: 'file' }, ({ path, with: attributes }) =>
      Object.keys(attributes ?? {}).length === 0 ? hooks.loadScript(path) : undefined,
    );
  }
  build.onEnd((result) => hooks.finish(result));
}

/** Resolves the requests of generated code: for runtime modules and emitted files. */
function resolveOwn(path: string): OnResolveResult {
  const [, file] = /^wasm-precompile:file\/(.+)$/.exec(path) ?? [];
  return file === undefined ? { path: runtimeFile(path) ?? path } : { path: file, namespace: FILE_NAMESPACE };
}

class BuildHooks {
  readonly #plugin: WasmPlugin;
  readonly #settings: Settings;
  /** The bundler while no module is being loaded. */
  readonly #context: BundlerContext;
  /** By the paths of their modules. */
  readonly #emitted = new Map<string, Uint8Array>();
  readonly #warnings: string[] = [];
  #runs = 0;

  constructor(plugin: WasmPlugin, settings: Settings) {
    this.#plugin = plugin;
    this.#settings = settings;
    const runs = () => this.#runs;
    this.#context = {
      addWatchFile: () => {},
      warn: settings.warn ?? ((message) => this.#warnings.push(message)),
      info: settings.info,
      resolve: async () => null,
      emit: () => {
        throw new Error('esbuild: files can be emitted only while a module is loaded');
      },
      // Plugins cannot see the mode; a second run is certain evidence.
      get watchMode() {
        return runs() > 1;
      },
      platform: plugin.platform(settings.platform),
      environment: '',
      runningFile: settings.runningFile,
    };
  }

  get detectsRuntimeLoading(): boolean {
    return this.#plugin.detectsRuntimeLoading(this.#context.platform);
  }

  start(): void {
    this.#runs++;
    this.#plugin.start(this.#context);
    this.#plugin.startOutput(this.#settings.folder, undefined);
  }

  /** Keeps the runtime's imports of Node, also if the bundler's own platform is another than the option `platform`. */
  async resolveNodeModule({
    path,
    importer,
    namespace,
  }: OnResolveArgs): Promise<OnResolveResult | undefined> {
    const isOwn =
      namespace === NAME || (await this.#plugin.resolve(this.#context, path, importer)) !== undefined;
    return isOwn ? { path, external: true } : undefined;
  }

  async resolveWasm({
    path,
    importer,
    kind,
    pluginData,
  }: OnResolveArgs): Promise<OnResolveResult | undefined> {
    if (pluginData === OWN_REQUEST || !KINDS.has(kind)) return undefined;
    const { root, resolver } = this.#settings;
    const context = { ...this.#context, resolve: resolver(kind) };
    const id = await this.#plugin.resolve(context, path, fileOf(importer, root));
    if (typeof id !== 'string') return undefined;
    return {
      path: root === undefined ? id : relative(root, id),
      namespace: NAME,
      sideEffects: hasSideEffects(id),
    };
  }

  async loadWasm(path: string): Promise<OnLoadResult> {
    const { root, format, resolver, warn } = this.#settings;
    const id = root === undefined ? path : resolve(root, path);
    const watched = new WatchedFiles();
    const imports: string[] = [];
    const context: BundlerContext = {
      ...this.#context,
      resolve: resolver('import-statement'),
      addWatchFile: (file) => watched.add(file),
      emit: (name, source) => this.#emit(name, source, imports),
    };
    let code;
    try {
      code = await this.#plugin.load(context, id);
    } catch (error) {
      if (warn) throw error;
      // Returned, not thrown, so that watch mode watches the file.
      return { errors: [{ text: messageOf(error), detail: error }], ...watched.result() };
    }
    if (format !== 'esm' && context.platform === 'node') {
      imports.push('import { pathToFileURL } from "node:url";');
    }
    return {
      contents: [...imports, code].join('\n'),
      loader: 'js',
      resolveDir: dirname(splitRequest(id).file),
      ...watched.result(),
      warnings: this.#takeWarnings(),
    };
  }

  /** @param imports receives the import of the file, for the module that is being loaded */
  #emit(name: string, source: Uint8Array, imports: string[]): EmittedFile {
    const { publicPath } = this.#settings;
    const { platform } = this.#context;
    if (publicPath && platform === 'node') throw refusePublicPath(publicPath);
    const id = `${sha256(source).slice(0, 16)}/${name}`;
    this.#emitted.set(id, source);
    const variable = `file${imports.length}`;
    imports.push(`import ${variable} from ${JSON.stringify(`wasm-precompile:file/${id}`)};`);
    return { id, url: fileUrl(variable, platform, this.#settings) };
  }

  loadEmitted(path: string): OnLoadResult | undefined {
    const contents = this.#emitted.get(path);
    return contents && { contents, loader: 'file' };
  }

  loadScript(path: string): Promise<OnLoadResult | undefined> {
    return loadScript(this.#plugin, this.#context, this.#settings, path);
  }

  async finish(result: Parameters<Parameters<PluginBuild['onEnd']>[0]>[0]) {
    if ((result.errors ?? []).length === 0) {
      const { folder, written, generated } = this.#settings;
      const added = await this.#plugin.addRegister(this.#context, generated(result));
      const { files, find } = written(result, this.#emitted);
      await this.#plugin.train(this.#context, {
        files: () => [...files(), ...added],
        find: (id) => find(id) ?? added.find(({ name }) => name === id),
        folder,
        keepNames: 'the bundler has already reported them',
        update: () => {},
      });
      await this.#plugin.summarize(this.#context, folder);
    }
    this.#emitted.clear();
    return { warnings: this.#takeWarnings() };
  }

  #takeWarnings(): { text: string }[] {
    return this.#warnings.splice(0).map((text) => ({ text }));
  }
}

/** Files and folders that watch mode watches for one module. */
class WatchedFiles {
  readonly #files: string[] = [];
  readonly #folders: string[] = [];

  add(file: string): void {
    this.#files.push(file);
    if (!isFolder(file)) return;
    // For a folder, esbuild detects only that files are added or removed.
    this.#folders.push(file);
    this.#files.push(...readdirSync(file).map((name) => resolve(file, name)));
  }

  result(): Pick<OnLoadResult, 'watchFiles' | 'watchDirs'> {
    return { watchFiles: this.#files, watchDirs: this.#folders };
  }
}

/**
 * Returns the expression for a file's URL.
 *
 * @param variable holds the file's path, relative to the running file or after the option `publicPath`
 */
function fileUrl(
  variable: string,
  platform: Platform,
  { format, publicPath, commonJsPath }: Settings,
): string {
  if (publicPath) return variable;
  // Names may contain characters with a meaning in URLs.
  const url = `${variable}.split("/").map(encodeURIComponent).join("/")`;
  if (format === 'esm') return `new URL(${url}, import.meta.url).href`;
  return platform === 'node'
    ? `pathToFileURL(${commonJsPath(variable)}).href`
    : `new URL(${url}, globalThis.document?.currentScript?.src ?? location.href).href`;
}

function refusePublicPath(publicPath: string): WasmPrecompileError {
  return new WasmPrecompileError(
    'INVALID_OPTIONS',
    `unplugin-wasm-precompile: the bundler's option \`publicPath\` ("${publicPath}") puts URLs before the names of files, ` +
      'but a program in Node reads files from the disk. Remove the option if the output is for Node.',
  );
}

/** Returns the path of an importer, which may be one of this plugin's own ids. */
function fileOf(importer: string, root: string | undefined): string | undefined {
  if (importer === '') return undefined;
  return root === undefined || isAbsolute(importer) ? importer : resolve(root, importer);
}
