/** webpack, and Rspack, which has webpack's interface. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import remapping, { type SourceMapInput } from '@jridgewell/remapping';
import type { UnpluginOptions } from 'unplugin';
import type { Compilation, Compiler, LoaderContext } from 'webpack';
import type { BundlerContext } from '../../build/bundler-context.ts';
import type { Platform } from '../../build/codegen/module-source.ts';
import { RUNTIME_LOADING_TEXT } from '../../build/discover/find-runtime-loading.ts';
import { parseScript } from '../../build/discover/parse-script.ts';
import { SCRIPT_ID } from '../../build/discover/rewrite-runtime-loading.ts';
import type { WasmPlugin } from '../../build/plugin.ts';
import { conflict } from '../../build/requests/conflict.ts';
import { formatRequest, hasSideEffects, parseRequest } from '../../build/requests/request.ts';
import { runtimeFile } from '../../build/requests/runtime-modules.ts';
import { WasmPrecompileError } from '../../common/error.ts';
import { NAME } from '../../common/version.ts';
import { isFolder } from '../is-folder.ts';
import { Emitter, fileOf, urlOf } from './emit.ts';
import type { LoaderOptions } from './loader.ts';
import { findExternalImports, importIntoEntries } from './register-asset.ts';
import type { LoadedModule, TransformLoaderOptions } from './transform-loader.ts';

const LOADER = fileURLToPath(new URL('./loader.js', import.meta.url));
const TRANSFORM_LOADER = fileURLToPath(new URL('./transform-loader.js', import.meta.url));

export function webpackPlugins(plugin: WasmPlugin): UnpluginOptions[] {
  const applyToRspack = (compiler: Compiler) => {
    const { target, output } = compiler.options;
    const isNode = [target].flat().some((each) => /node/.test(String(each)));
    // With Rspack's default, `__webpack_base_uri__` is undefined in workers that are ES modules for Node.
    if (isNode && output.module) output.workerChunkLoading ??= 'import';
    apply(plugin, compiler);
  };
  return [
    {
      name: NAME,
      webpack: (compiler) => apply(plugin, compiler),
      rspack: (compiler) => applyToRspack(compiler as unknown as Compiler),
    },
  ];
}

function apply(plugin: WasmPlugin, compiler: Compiler): void {
  const hooks = new CompilerHooks(plugin, compiler);
  compiler.options.module.rules.push(...hooks.wasmRules());
  // Only at this hook the defaults of the target are known.
  compiler.hooks.environment.tap(NAME, () => {
    if (hooks.detectsRuntimeLoading) compiler.options.module.rules.push(hooks.scriptRule());
  });
  compiler.hooks.compilation.tap(NAME, (_, { normalModuleFactory }) => {
    normalModuleFactory.hooks.beforeResolve.tapPromise(NAME, async (data) => {
      data.request = await hooks.rewriteRequest(data.request, data.context);
    });
  });
  compiler.hooks.thisCompilation.tap(NAME, (compilation) => {
    // Before banners, which may hold the hashbang, and before source maps.
    const stage = compiler.webpack.Compilation.PROCESS_ASSETS_STAGE_DERIVED;
    compilation.hooks.processAssets.tapPromise({ name: NAME, stage }, () => hooks.addRegister(compilation));
  });
  compiler.hooks.make.tap(NAME, (compilation) => hooks.start(compilation));
  compiler.hooks.afterEmit.tapPromise(NAME, (compilation) => hooks.finish(compilation));
}

class CompilerHooks {
  readonly #plugin: WasmPlugin;
  readonly #compiler: Compiler;
  readonly #emitter = new Emitter();
  /** By path: webpack evaluates the rule for every import of a file. */
  readonly #mayLoadWasm = new Map<string, boolean>();

  constructor(plugin: WasmPlugin, compiler: Compiler) {
    this.#plugin = plugin;
    this.#compiler = compiler;
  }

  /**
   * Returns rules for wasm files. unplugin's own `resolveId` and `load` know only the paths of files here; a rule also
   * knows the query, and what imports the file: `new URL('./x.wasm', import.meta.url)` is left to the bundler.
   */
  wasmRules(): Compiler['options']['module']['rules'] {
    // These are the last rules, so that their type wins over that of other rules for wasm files.
    const rule = (load: LoaderOptions['load'], phase = {}) => ({
      test: (file: string) => file.endsWith('.wasm') && this.#plugin.handles(unescape(file)),
      resourceQuery: (query: string) => parseRequest(`x.wasm${query}`) !== undefined,
      dependency: { not: ['url'] },
      ...phase,
      type: 'javascript/auto',
      rules: [{ resourceQuery: (query: string) => !hasSideEffects(`x.wasm${query}`), sideEffects: false }],
      use: [{ loader: LOADER, options: { load } satisfies LoaderOptions }],
    });
    const { sourceImport } = this.#compiler.options.experiments as { sourceImport?: boolean };
    // Versions without import phases refuse rules that name them.
    if (!sourceImport) return [rule((loader) => this.#load(loader))];
    return [
      rule((loader) => this.#load(loader), { phase: { not: ['source'] } }),
      rule((loader) => this.#load(loader, '?module'), { phase: 'source' }),
    ];
  }

  /**
   * Returns the rule for scripts that may load wasm files at run time. It does not match other scripts: a loader costs
   * time, and changes ids of modules and names in source maps.
   */
  scriptRule(): Compiler['options']['module']['rules'][number] {
    const transform: TransformLoaderOptions['transform'] = (loader, module) =>
      this.#transform(loader, module);
    return {
      test: { and: [SCRIPT_ID, (file: string) => this.#loadsWasm(unescape(file))] },
      // After other loaders have compiled the file to JavaScript.
      enforce: 'post',
      use: [{ loader: TRANSFORM_LOADER, options: { transform } satisfies TransformLoaderOptions }],
    };
  }

  get detectsRuntimeLoading(): boolean {
    return this.#plugin.detectsRuntimeLoading(this.#plugin.platform(this.#targetPlatform));
  }

  start(compilation: Compilation): void {
    this.#mayLoadWasm.clear();
    this.#plugin.start(this.#contextOf(compilation));
  }

  /**
   * Rewrites a request to one that webpack resolves: webpack does not know the scheme `wasm-precompile:`, and in the
   * `exports` of a package it looks for a name that includes the query.
   */
  async rewriteRequest(request: string, folder: string): Promise<string> {
    const file = runtimeFile(request);
    if (file !== undefined) return file;
    const parsed = parseRequest(request);
    if (!parsed || parsed.file === request) return request;
    const resolver = this.#compiler.resolverFactory.get('normal', { dependencyType: 'esm' });
    const resolved = await new Promise((resolve) => {
      resolver.resolve({}, folder, parsed.file, {}, (error, path) => resolve(error ? undefined : path));
    });
    if (typeof resolved !== 'string') return request;
    // Rspack escapes `#` differently in its results and in requests.
    return formatRequest({ ...parsed, file: resolved.replaceAll('\u200B#', '\0#') });
  }

  async #load(loader: LoaderContext<LoaderOptions>, query = loader.resourceQuery): Promise<string> {
    const file = unescape(loader.resourcePath);
    const others = loader.loaders.map(({ path }) => path).filter((path) => path !== LOADER);
    if (others.length > 0) throw conflict(file, `the loader ${others.join(', ')}`);
    // oxlint-disable-next-line no-underscore-dangle
    const type = loader._module?.type;
    if (type !== undefined && type !== 'javascript/auto') throw conflict(file, `a rule of type "${type}"`);
    this.#limitCaching(loader);
    const context = this.#contextOfLoader(loader);
    const code = await this.#plugin.load(context, `${file}${query}`);
    if (code === undefined) throw new Error(`${file}: not a wasm file`);
    return code;
  }

  /** Whether the text of a file may load wasm files. */
  #loadsWasm(file: string): boolean {
    const known = this.#mayLoadWasm.get(file);
    if (known !== undefined) return known;
    let may = false;
    try {
      // The bundler's file system caches the text, which the bundler itself reads next.
      const text = this.#compiler.inputFileSystem?.readFileSync?.(file).toString() ?? '';
      may = RUNTIME_LOADING_TEXT.test(text);
    } catch {
      // The file does not exist: the bundler reports it, or the module is virtual.
    }
    this.#mayLoadWasm.set(file, may);
    return may;
  }

  /** @returns the module itself if nothing changes */
  async #transform(
    loader: LoaderContext<TransformLoaderOptions>,
    module: LoadedModule,
  ): Promise<LoadedModule> {
    // oxlint-disable-next-line no-underscore-dangle
    const type = loader._module?.type;
    if (type !== undefined && !type.startsWith('javascript/')) return module;
    const code = module.contents.toString();
    if (!RUNTIME_LOADING_TEXT.test(code)) return module;
    // The result depends on which wasm files exist and on the plugin's options, which webpack does not track.
    this.#limitCaching(loader);
    const file = unescape(loader.resourcePath);
    const changed = await this.#plugin.rewriteRuntimeLoading(this.#contextOfLoader(loader), code, file, {
      parse: (text) => parseScript(text, 'js'),
      // An ES module has no `require`, even if it has neither imports nor exports.
      commonJs: type !== 'javascript/esm',
      hasNode: true,
    });
    if (!changed) return module;
    const ownMap = changed.map as SourceMapInput;
    const map = module.map ? (remapping([ownMap, module.map], () => null) as SourceMapInput) : ownMap;
    return { contents: changed.code, map };
  }

  /**
   * Lets webpack cache the result of a loader in memory, in watch mode, and nowhere else: generated code depends on the
   * node that builds.
   */
  #limitCaching(loader: LoaderContext<unknown>): void {
    const { cache } = this.#compiler.options;
    const isMemory = typeof cache !== 'object' || cache.type === 'memory';
    loader.cacheable(this.#compiler.watchMode && isMemory);
  }

  /** Makes entries import the register file first, if the program compiles modules itself. */
  async addRegister(compilation: Compilation): Promise<void> {
    const common = this.#contextOf(compilation);
    if (!this.#plugin.mayRegister(common.platform)) return;
    const emitted = new Set<string>();
    const context: BundlerContext = {
      ...common,
      emit: (name, source) => {
        const file = this.#emitter.emitAsset(this.#compiler, compilation, name, source);
        emitted.add(file.id);
        return file;
      },
    };
    if (this.#plugin.tracesExternals(common.platform)) {
      await this.#plugin.traceExternals(context, findExternalImports(this.#compiler, compilation));
    }
    if (!this.#plugin.needsRegister(context)) return;
    const format = compilation.outputOptions.module ? 'esm' : 'cjs';
    const register = await this.#plugin.generateRegister(context, format, (name) => ({
      name,
      hash: undefined,
    }));
    if (register) importIntoEntries(this.#compiler, compilation, register, format, emitted);
  }

  async finish(compilation: Compilation): Promise<void> {
    const { path } = compilation.outputOptions;
    // The folder does not exist if the output is kept in memory.
    const folder = path !== undefined && existsSync(path) ? path : undefined;
    const context = this.#contextOf(compilation);
    const assets = new Map(compilation.getAssets().map(({ name, info }) => [fileOf(name), info]));
    this.#plugin.startOutput(folder, undefined);
    await this.#plugin.train(context, {
      folder,
      files: () => [...assets].map(([name, info]) => this.#emitter.describe(name, info)),
      find: (name) => {
        const info = assets.get(name);
        return info && this.#emitter.describe(name, info);
      },
      keepNames: 'webpack has already passed them to other plugins',
      update: () => {},
    });
    await this.#plugin.summarize(context, folder);
  }

  /** The bundler while no module is being loaded. */
  #contextOf(compilation: Compilation): BundlerContext {
    return {
      addWatchFile: (file) => compilation.fileDependencies.add(file),
      warn: (message) => compilation.warnings.push(new this.#compiler.webpack.WebpackError(message)),
      info: (message) => this.#compiler.getInfrastructureLogger(NAME).info(message),
      resolve: async () => null,
      emit: () => {
        throw new Error('webpack: files can be emitted only while a module is loaded');
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
    const common = this.#contextOf(compilation);
    return {
      ...common,
      addWatchFile: (file) => {
        if (isFolder(file)) loader.addContextDependency(file);
        else loader.addDependency(file);
      },
      warn: (message) => {
        try {
          loader.emitWarning(new Error(message));
        } catch {
          // Rspack accepts no warnings of a loader that has ended; several modules load at a time.
          common.warn(message);
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
      emit: (name, source) => this.#emitter.emit(loader, compilation, name, source, common.platform),
      // `import.meta.url` is the URL of the source file.
      runningFile: urlOf('running.js', 'node'),
    };
  }

  /** The platform of the option `target`. */
  get #targetPlatform(): Platform {
    return this.#compiler.options.externalsPresets.node ? 'node' : 'browser';
  }

  #platform(): Platform {
    const platform = this.#plugin.platform(this.#targetPlatform);
    if (platform === 'node' && this.#targetPlatform === 'browser') {
      throw new WasmPrecompileError(
        'INVALID_OPTIONS',
        `unplugin-wasm-precompile: the option \`platform: 'node'\` needs a target for Node, and the bundler's \`target\` is ` +
          `${JSON.stringify(this.#compiler.options.target)}. Set it to "node".`,
      );
    }
    return platform;
  }
}

/** Removes the characters that webpack escapes paths with in requests. */
function unescape(path: string): string {
  return path.replaceAll(/[\0\u200B](.)/gs, '$1');
}
