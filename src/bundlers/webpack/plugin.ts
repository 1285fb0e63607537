/** webpack and Rspack, which has webpack's interface. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import remapping, { type SourceMapInput } from '@jridgewell/remapping';
import type { UnpluginOptions } from 'unplugin';
import type { AssetInfo, Compilation, Compiler, LoaderContext } from 'webpack';
import { type WasmPlugin, runtimeFile } from '../../build/plugin.ts';
import type { BundlerContext, EmittedFile } from '../../build/bundler-context.ts';
import { conflict } from '../../build/requests/conflict.ts';
import { encodePath } from '../../common/encode-path.ts';
import { RUNTIME_LOADING_TEXT } from '../../build/discover/find-runtime-loading.ts';
import type { Platform } from '../../build/codegen/generate.ts';
import { parseScript } from '../../build/discover/parse-script.ts';
import { formatRequest, hasSideEffects, parseRequest } from '../../build/requests/request.ts';
import type { HashPlace } from '../../build/output/rewrite-output.ts';
import { sha256 } from '../../common/sha256.ts';
import { SCRIPT_ID } from '../../build/discover/rewrite-runtime-loading.ts';
import { WasmPrecompileError } from '../../common/error.ts';
import { NAME } from '../../common/version.ts';
import { isFolder } from '../is-folder.ts';

const LOADER = fileURLToPath(new URL('./loader.js', import.meta.url));
const GLUE_LOADER = fileURLToPath(new URL('./transform-loader.js', import.meta.url));

/** webpack's default, which says nothing of what a file is. */
const NAMELESS = /^\[hash\]\[ext\](\[query\])?(\[fragment\])?$/;

type AssetFileName = Extract<
  Compilation['outputOptions']['assetModuleFilename'],
  (...data: never[]) => string
>;

/** What webpack-loader.ts is given. */
export interface LoaderOptions {
  load: (loader: LoaderContext<LoaderOptions>) => Promise<string>;
}

/** What webpack-glue-loader.ts is given. */
export interface TransformLoaderOptions {
  transform: (loader: LoaderContext<TransformLoaderOptions>, module: LoadedModule) => Promise<LoadedModule>;
}

/** What one loader gives to the next. */
export interface LoadedModule {
  contents: Buffer | string;
  map: SourceMapInput | undefined;
}

/**
 * unplugin's own `resolveId` and `load` know only the paths of files here. So a rule says what is ours, by its query and by what
 * imports it: not `new URL('./x.wasm', import.meta.url)`.
 */
export function webpackPlugins(bundle: WasmPlugin): UnpluginOptions[] {
  const apply = (compiler: Compiler) => {
    const hooks = new CompilerHooks(bundle, compiler);
    // The last rule: it decides of the type, whatever others make of wasm files.
    const rule = (load: LoaderOptions['load'], phase = {}) => ({
      test: (file: string) => file.endsWith('.wasm') && bundle.isOurs(unescape(file)),
      resourceQuery: (query: string) => parseRequest(`x.wasm${query}`) !== undefined,
      dependency: { not: ['url'] },
      ...phase,
      type: 'javascript/auto',
      rules: [{ resourceQuery: (query: string) => !hasSideEffects(`x.wasm${query}`), sideEffects: false }],
      use: [{ loader: LOADER, options: { load } satisfies LoaderOptions }],
    });
    const { sourceImport } = compiler.options.experiments as { sourceImport?: boolean };
    compiler.options.module.rules.push(
      ...(sourceImport
        ? [
            rule((loader) => hooks.load(loader), { phase: { not: ['source'] } }),
            rule((loader) => hooks.load(loader, '?module'), { phase: 'source' }),
          ]
        : // Versions that know no phases refuse rules that name them.
          [rule((loader) => hooks.load(loader))]),
    );
    // Only then the target's defaults are known.
    compiler.hooks.environment.tap(NAME, () => {
      if (!hooks.findsGlue) return;
      compiler.options.module.rules.push({
        // Not all modules: a loader costs time, and changes ids of modules and names in source maps.
        test: { and: [SCRIPT_ID, (file: string) => hooks.mayHoldGlue(unescape(file))] },
        // When it is JavaScript.
        enforce: 'post',
        use: [
          {
            loader: GLUE_LOADER,
            options: {
              transform: (loader, module) => hooks.transformGlue(loader, module),
            } satisfies TransformLoaderOptions,
          },
        ],
      });
    });
    compiler.hooks.compilation.tap(NAME, (_, { normalModuleFactory }) => {
      normalModuleFactory.hooks.beforeResolve.tapPromise(NAME, async (data) => {
        data.request = await hooks.rewrite(data.request, data.context);
      });
    });
    compiler.hooks.make.tap(NAME, (compilation) => hooks.start(compilation));
    compiler.hooks.afterEmit.tapPromise(NAME, (compilation) => hooks.finish(compilation));
  };
  const applyToRspack = (compiler: Compiler) => {
    const { target, output } = compiler.options;
    const isNode = [target].flat().some((each) => /node/.test(String(each)));
    // Else it does not tell workers in ES modules for Node where they are: `__webpack_base_uri__` is undefined there.
    if (isNode && output.module) output.workerChunkLoading ??= 'import';
    apply(compiler);
  };
  return [
    {
      name: NAME,
      webpack: apply,
      rspack: (compiler) => applyToRspack(compiler as unknown as Compiler),
    },
  ];
}

class CompilerHooks {
  readonly #bundle: WasmPlugin;
  readonly #compiler: Compiler;
  /** By the names of files. */
  readonly #emitted = new Map<string, { digest: string; by: string; info: AssetInfo }>();
  /** By path: every import asks. */
  readonly #mayHoldGlue = new Map<string, boolean>();

  constructor(bundle: WasmPlugin, compiler: Compiler) {
    this.#bundle = bundle;
    this.#compiler = compiler;
  }

  start(compilation: Compilation): void {
    this.#mayHoldGlue.clear();
    this.#bundle.start(this.#contextOf(compilation));
  }

  /**
   * Another request for the same: webpack knows none with a scheme of ours, and takes a query for a part of the name where a
   * package says what it exports.
   */
  async rewrite(request: string, folder: string): Promise<string> {
    const file = runtimeFile(request);
    if (file !== undefined) return file;
    const parsed = parseRequest(request);
    if (!parsed || parsed.file === request) return request;
    const resolver = this.#compiler.resolverFactory.get('normal', { dependencyType: 'esm' });
    const resolved = await new Promise((resolve) => {
      resolver.resolve({}, folder, parsed.file, {}, (error, path) => resolve(error ? undefined : path));
    });
    if (typeof resolved !== 'string') return request;
    // Rspack writes it in another way than it reads it.
    return formatRequest({ ...parsed, file: resolved.replaceAll('\u200B#', '\0#') });
  }

  async load(loader: LoaderContext<LoaderOptions>, query = loader.resourceQuery): Promise<string> {
    const file = unescape(loader.resourcePath);
    const others = loader.loaders.map(({ path }) => path).filter((path) => path !== LOADER);
    if (others.length > 0) throw conflict(file, `the loader ${others.join(', ')}`);
    // oxlint-disable-next-line no-underscore-dangle
    const type = loader._module?.type;
    if (type !== undefined && type !== 'javascript/auto') throw conflict(file, `a rule of type "${type}"`);
    this.#keepForWatching(loader);
    const context = this.#contextOfLoader(loader);
    const code = await this.#bundle.load(context, `${file}${query}`);
    if (code === undefined) throw new Error(`${file}: no wasm file`);
    return code;
  }

  /** Whether a file is worth looking at when it has been loaded. */
  mayHoldGlue(file: string): boolean {
    const known = this.#mayHoldGlue.get(file);
    if (known !== undefined) return known;
    let may = false;
    try {
      // The bundler's own file system keeps what it will ask for next.
      const text = this.#compiler.inputFileSystem?.readFileSync?.(file).toString() ?? '';
      may = RUNTIME_LOADING_TEXT.test(text);
    } catch {
      // There is no such file: the bundler will say it better, or makes the module itself.
    }
    this.#mayHoldGlue.set(file, may);
    return may;
  }

  get findsGlue(): boolean {
    return this.#bundle.detectsRuntimeLoading(this.#bundle.platform(this.#ownPlatform));
  }

  /** @returns the same where there is nothing to change */
  async transformGlue(
    loader: LoaderContext<TransformLoaderOptions>,
    module: LoadedModule,
  ): Promise<LoadedModule> {
    // oxlint-disable-next-line no-underscore-dangle
    const type = loader._module?.type;
    if (type !== undefined && !type.startsWith('javascript/')) return module;
    const code = module.contents.toString();
    if (!RUNTIME_LOADING_TEXT.test(code)) return module;
    // Which files are there, and which of them are ours, is nothing that webpack knows of.
    this.#keepForWatching(loader);
    const file = unescape(loader.resourcePath);
    const changed = await this.#bundle.rewriteRuntimeLoading(this.#contextOfLoader(loader), code, file, {
      parse: (text) => parseScript(text, 'js'),
      // In what counts as an ES module there is no `require`, even if it has neither imports nor exports.
      commonJs: type !== 'javascript/esm',
      hasNode: true,
    });
    if (!changed) return module;
    const own = changed.map as SourceMapInput;
    const map = module.map ? (remapping([own, module.map], () => null) as SourceMapInput) : own;
    return { contents: changed.code, map };
  }

  /** What is made here is for the Node that builds: it is kept as long as the process. */
  #keepForWatching(loader: LoaderContext<unknown>): void {
    const { cache } = this.#compiler.options;
    const isMemory = typeof cache !== 'object' || cache.type === 'memory';
    loader.cacheable(this.#compiler.watchMode && isMemory);
  }

  async finish(compilation: Compilation): Promise<void> {
    const { path } = compilation.outputOptions;
    // Not where the output is kept in memory.
    const folder = path !== undefined && existsSync(path) ? path : undefined;
    const context = this.#contextOf(compilation);
    const assets = new Map(compilation.getAssets().map(({ name, info }) => [fileOf(name), info]));
    const describe = (name: string, info: AssetInfo) => ({
      name,
      hash: findHash(name, this.#emitted.get(name)?.info ?? info),
    });
    this.#bundle.startOutput(folder, undefined);
    await this.#bundle.train(context, {
      folder,
      files: () => [...assets].map(([name, info]) => describe(name, info)),
      find: (name) => {
        const info = assets.get(name);
        return info && describe(name, info);
      },
      keepNames: 'webpack has told others of them',
      update: () => {},
    });
    await this.#bundle.summarize(context, folder);
  }

  /** Where no module is being loaded. */
  #contextOf(compilation: Compilation): BundlerContext {
    return {
      addWatchFile: (file) => compilation.fileDependencies.add(file),
      warn: (message) => compilation.warnings.push(new this.#compiler.webpack.WebpackError(message)),
      info: (message) => this.#compiler.getInfrastructureLogger(NAME).info(message),
      resolve: async () => null,
      emit: () => {
        throw new Error('files are emitted by modules');
      },
      watchMode: this.#compiler.watchMode,
      platform: this.#platform(),
      environment: '',
    };
  }

  #contextOfLoader(loader: LoaderContext<LoaderOptions | TransformLoaderOptions>): BundlerContext {
    // oxlint-disable-next-line no-underscore-dangle
    const compilation = loader._compilation;
    if (!compilation) throw new Error(`${loader.resourcePath}: the bundler gives its loaders no compilation`);
    const resolve = loader.getResolve({ dependencyType: 'esm' });
    const others = this.#contextOf(compilation);
    return {
      ...others,
      addWatchFile: (file) => {
        if (isFolder(file)) loader.addContextDependency(file);
        else loader.addDependency(file);
      },
      warn: (message) => {
        try {
          loader.emitWarning(new Error(message));
        } catch {
          // Of a module that is loaded beside this one: Rspack takes nothing of loaders that have ended.
          others.warn(message);
        }
      },
      resolve: async (request, importer) => {
        try {
          const id = await resolve(importer === undefined ? loader.rootContext : dirname(importer), request);
          return { id, external: false };
        } catch {
          return null;
        }
      },
      // By the module, so that the file is there, too, where a later build takes the module as it is.
      emit: (name, source) => this.#emit(loader, compilation, name, source),
      // `import.meta.url` is where the source is.
      runningFile: urlOf('running.js', 'node'),
    };
  }

  #emit(
    loader: LoaderContext<unknown>,
    compilation: Compilation,
    name: string,
    source: Uint8Array,
  ): EmittedFile {
    const digest = sha256(source);
    const by = loader.resourcePath;
    const { path, info } = this.#place(compilation, name, digest, by);
    this.#emitted.set(path, { digest, by, info });
    // Told that there is a hash in the name, webpack would put another one there.
    loader.emitFile(path, Buffer.from(source), undefined, { immutable: info.immutable === true });
    return { id: fileOf(path), url: urlOf(path, this.#platform()) };
  }

  #place(
    compilation: Compilation,
    name: string,
    digest: string,
    by: string,
  ): { path: string; info: AssetInfo } {
    const { assetModuleFilename, hashDigestLength = 20 } = compilation.outputOptions;
    const contentHash = digest.slice(0, hashDigestLength);
    const place = (filename: string) => {
      // Without a module webpack replaces no hash.
      const module = { id: contentHash, hash: contentHash };
      const data = { filename, contentHash, module } as unknown as Parameters<AssetFileName>[0];
      const template =
        typeof assetModuleFilename === 'function' ? assetModuleFilename(data) : assetModuleFilename;
      const hashed =
        template === undefined || NAMELESS.test(template)
          ? '[name]-[contenthash][ext]'
          : template.replaceAll('[hash', '[contenthash');
      return compilation.getPathWithInfo(hashed, data);
    };
    const placed = place(name);
    const other = this.#emitted.get(placed.path);
    // The name has no hash, and another module has the same one.
    return other === undefined || other.digest === digest || other.by === by
      ? placed
      : place(name.replace(/(\.\w+)$/, (extension) => `-${digest.slice(0, 8)}${extension}`));
  }

  get #ownPlatform(): Platform {
    return this.#compiler.options.externalsPresets.node ? 'node' : 'browser';
  }

  #platform(): Platform {
    const { target } = this.#compiler.options;
    const own = this.#ownPlatform;
    const platform = this.#bundle.platform(own);
    if (platform === 'node' && own === 'browser') {
      throw new WasmPrecompileError(
        'INVALID_OPTIONS',
        `unplugin-wasm-precompile: the option \`platform: 'node'\` needs a target for Node, and the bundler's \`target\` is ` +
          `${JSON.stringify(target)}. Set it to "node".`,
      );
    }
    return platform;
  }
}

/** A file's URL, whichever chunk asks for it. In Node `publicPath` is not where files are. */
function urlOf(path: string, platform: Platform): string {
  const url = JSON.stringify(encodePath(path));
  return platform === 'browser'
    ? `__webpack_public_path__ + ${url}`
    : `new URL(${url}, __webpack_base_uri__).href`;
}

/** The name of an asset may have a query. */
function fileOf(name: string): string {
  return name.split('?', 1)[0] ?? name;
}

/** Paths with the characters that requests escape. */
function unescape(path: string): string {
  return path.replaceAll(/[\0\u200B](.)/gs, '$1');
}

function findHash(name: string, info: AssetInfo): HashPlace | undefined {
  const hashes = [info.contenthash, info.chunkhash, info.fullhash, info.modulehash]
    .flat()
    .filter((hash) => typeof hash === 'string' && name.includes(hash));
  const [hash] = hashes;
  return hash === undefined ? undefined : { start: name.indexOf(hash), length: hash.length };
}
