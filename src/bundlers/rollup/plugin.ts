/** Vite, Rollup and Rolldown: bundlers with Rollup's plugin interface. */
import type { UnpluginOptions } from 'unplugin';
import type { BundlerContext } from '../../build/bundler-context.ts';
import type { Platform } from '../../build/codegen/module-source.ts';
import { RUNTIME_LOADING_TEXT } from '../../build/discover/find-runtime-loading.ts';
import { SCRIPT_ID } from '../../build/discover/rewrite-runtime-loading.ts';
import type { WasmPlugin } from '../../build/plugin.ts';
import { conflict } from '../../build/requests/conflict.ts';
import { parseRequest, WASM_REQUEST } from '../../build/requests/request.ts';
import { RESOLVE_FILTER } from '../../build/requests/resolve-request.ts';
import { SOURCE_PHASE } from '../../build/requests/source-phase.ts';
import { NAME } from '../../common/version.ts';
import { hasNodeModules, platformOf } from '../vite/environment.ts';
import { viteHooks } from '../vite/vite-hooks.ts';
import { pageUrl } from '../vite/page-url.ts';
import type { FileUrl, RollupContext } from './context.ts';
import { EmittedAssets } from './emitted-assets.ts';
import type { WrittenFile } from './file-names.ts';
import { chunkRelativeUrl } from './file-url.ts';
import {
  emptyRegisterFor,
  findExternalImports,
  registerFormat,
  type RenderedChunk,
  renderEntry,
} from './register-file.ts';
import { describeOutput, findEmitted, folderOf, type OutputSettings } from './written-output.ts';

/** Returns the bundler, by `this` of a hook. */
type ContextOf = (hook: unknown) => BundlerContext;

export function rollupPlugins(plugin: WasmPlugin): UnpluginOptions[] {
  const assets = new EmittedAssets();
  /** The option `platform` of Rolldown. */
  let platform: Platform | undefined;
  const contextOf: ContextOf = (hook) => bundlerContext(plugin, assets, hook as RollupContext, platform);
  const setPlatform = (declared: string | undefined) => {
    platform = declared === 'browser' ? 'browser' : undefined;
  };
  return [
    requestPlugin(plugin, assets, contextOf, setPlatform),
    unknownFormPlugin(plugin, contextOf),
    runtimeLoadingPlugin(plugin, contextOf),
  ];
}

function bundlerContext(
  plugin: WasmPlugin,
  assets: EmittedAssets,
  context: RollupContext,
  declared: Platform | undefined,
): BundlerContext {
  const { environment } = context;
  const platform = plugin.platform(environment ? platformOf(environment) : declared);
  return {
    addWatchFile: (file) => context.addWatchFile(file),
    warn: (message) => context.warn(message),
    info: (message) => context.info(message),
    resolve: (request, importer) => context.resolve(request, importer, { skipSelf: true }),
    emit: (name, source) => assets.emit(context, name, source, platform),
    emitChunk: (id, name) => void context.emitFile({ type: 'chunk', id, name, preserveSignature: false }),
    watchMode: context.meta.watchMode,
    platform,
    environment: environment?.name ?? '',
  };
}

/** Handles wasm requests and everything after them. */
function requestPlugin(
  plugin: WasmPlugin,
  assets: EmittedAssets,
  contextOf: ContextOf,
  setPlatform: (declared: string | undefined) => void,
): UnpluginOptions {
  /** Ids of modules that this plugin has loaded. */
  const loaded = new Set<string>();
  const rivals: string[] = [];
  const hooks = {
    ...outputHooks(plugin, assets, contextOf),
    transform: { ...sourcePhaseTransform(plugin, contextOf), order: 'pre' as const },
    moduleParsed(this: unknown, { id, code }: { id: string; code: string | null }) {
      const file = parseRequest(id)?.file;
      if (file === undefined || code === null || isGenerated(code) || !plugin.handles(file)) return;
      const names = rivals.map((name) => `"${name}"`).join(' or ') || 'that comes before';
      const error = conflict(file, `another plugin, ${names},`);
      // A plugin that transforms generated code breaks it. A plugin that loads the file may do so on purpose.
      if (loaded.has(id)) throw error;
      plugin.warn(contextOf(this), error.message);
    },
  };
  // Rolldown checks top-level await against the format before `renderStart`.
  const outputOptions = ({ format }: { format?: string | undefined }) => {
    plugin.format = format;
  };
  return {
    name: NAME,
    enforce: 'pre',
    buildStart(this: unknown, options?: { plugins?: readonly { name: string }[] }) {
      loaded.clear();
      rivals.splice(0, rivals.length, ...findRivals(options?.plugins ?? []));
      assets.start(this as RollupContext);
      plugin.start(contextOf(this));
    },
    resolveId: {
      filter: { id: RESOLVE_FILTER },
      handler(id, importer) {
        return plugin.resolve(contextOf(this), id, importer);
      },
    },
    load: {
      filter: { id: WASM_REQUEST },
      handler(id) {
        loaded.add(id);
        return plugin.load(contextOf(this), id);
      },
    },
    rollup: hooks,
    rolldown: {
      ...hooks,
      outputOptions,
      options: (options: { platform?: string }) => setPlatform(options.platform),
    },
    vite: { ...hooks, outputOptions, ...viteHooks(plugin, contextOf, (url) => assets.nameOf(url)) },
  };
}

/** The hooks for an output: the URLs and files in it, and what happens once it is written. */
function outputHooks(plugin: WasmPlugin, assets: EmittedAssets, contextOf: ContextOf) {
  return {
    async renderStart(this: unknown, settings: Pick<OutputSettings, 'dir' | 'file' | 'format'>) {
      plugin.startOutput(folderOf(settings), settings.format);
      const context = this as RollupContext;
      const traces =
        registerFormat(settings.format, context.environment) &&
        plugin.tracesExternals(contextOf(context).platform);
      if (traces) await plugin.traceExternals(contextOf(context), findExternalImports(context));
    },
    renderChunk(
      this: unknown,
      code: string,
      chunk: RenderedChunk,
      { format }: { format?: string | undefined },
    ) {
      const { environment } = this as RollupContext;
      return renderEntry(plugin, contextOf(this), code, chunk, registerFormat(format, environment));
    },
    resolveFileUrl(file: FileUrl) {
      const asset = assets.find(file.referenceId);
      if (!asset) return undefined;
      assets.noteName(file);
      const { web } = plugin.settings;
      const inPage = web && asset.platform === 'browser' ? pageUrl(file, web) : undefined;
      return inPage ?? chunkRelativeUrl(file);
    },
    onLog(_level: string, log: { code?: string | undefined; message: string }) {
      return assets.isExpected(log) ? false : undefined;
    },
    generateBundle: {
      order: 'post' as const,
      async handler(this: unknown, options: unknown, bundle: Readonly<Record<string, unknown>>) {
        const context = this as RollupContext;
        const settings = options as OutputSettings;
        const format = registerFormat(settings.format, context.environment);
        const find = (id: string) => findEmitted(context, assets, settings, id);
        if (!format) {
          plugin.refuseRegister(contextOf(context), `the output format "${settings.format}" has no imports`);
        }
        // Another build with the same plugin may have begun since the entries were rendered.
        const register =
          format &&
          ((await plugin.generateRegister(contextOf(context), format, find)) ??
            emptyRegisterFor(bundle, format));
        if (register) {
          const source = Buffer.from(register.code);
          context.emitFile({ type: 'asset', fileName: register.name, source });
        }
        assets.restore(context, bundle);
      },
    },
    writeBundle: {
      order: 'post' as const,
      sequential: true as const,
      async handler(this: unknown, options: unknown, bundle: unknown) {
        const settings = options as OutputSettings;
        const written = describeOutput(
          this as RollupContext,
          assets,
          settings,
          bundle as Record<string, WrittenFile>,
        );
        await plugin.train(contextOf(this), written);
        await plugin.summarize(contextOf(this), written.folder);
      },
    },
  };
}

/**
 * Refuses wasm files with a query that no plugin has loaded. Runs after other plugins, but before Vite's own plugin
 * that reads any file.
 */
function unknownFormPlugin(plugin: WasmPlugin, contextOf: ContextOf): UnpluginOptions {
  // A second time, for files that other plugins have compiled to JavaScript.
  const transform = { ...sourcePhaseTransform(plugin, contextOf), order: 'post' as const };
  const load = {
    filter: { id: WASM_REQUEST },
    handler(id: string) {
      plugin.refuseUnknownForm(id);
    },
  };
  return {
    name: `${NAME}:unknown-forms`,
    enforce: 'post',
    rollup: {
      transform,
      load: { ...load, order: 'post' },
      // Rolldown and Vite resolve files with a query themselves.
      resolveId: {
        order: 'post',
        filter: { id: RESOLVE_FILTER },
        handler(id, importer) {
          return plugin.resolveUnknownForm(contextOf(this), id, importer);
        },
      },
    },
    rolldown: { transform, load: { ...load, order: 'post' } },
    vite: { transform, load },
  };
}

/**
 * Rewrites scripts that load wasm files at run time. Runs last: by then all scripts are JavaScript, and CommonJS has
 * been converted to ES modules unless the bundler supports it.
 */
function runtimeLoadingPlugin(plugin: WasmPlugin, contextOf: ContextOf): UnpluginOptions {
  const transform = {
    order: 'post' as const,
    filter: { id: SCRIPT_ID, code: RUNTIME_LOADING_TEXT },
    handler(this: unknown, code: string, id: string, meta?: object) {
      const context = this as RollupContext;
      // Rolldown only: it keeps TypeScript until the end.
      const lang = meta && 'moduleType' in meta ? String(meta.moduleType) : undefined;
      return plugin.rewriteRuntimeLoading(contextOf(context), code, id, {
        parse: (text) => context.parse(text, lang === undefined ? {} : { lang }),
        commonJs: context.meta.rolldownVersion !== undefined,
        hasNode: hasNodeModules(context.environment),
      });
    },
  };
  return {
    name: `${NAME}:runtime-loading`,
    enforce: 'post',
    rollup: { transform },
    rolldown: { transform },
    vite: { transform },
  };
}

function sourcePhaseTransform(plugin: WasmPlugin, contextOf: ContextOf) {
  return {
    filter: { code: SOURCE_PHASE },
    handler(this: unknown, code: string, id: string) {
      return plugin.transform(contextOf(this), code, id);
    },
  };
}

/** Returns the names of plugins that may handle wasm files, too. */
function findRivals(plugins: readonly { name: string }[]): string[] {
  return plugins
    .map(({ name }) => name)
    .filter((name) => /wasm/i.test(name) && !/^vite:|^native:|^unplugin-wasm-precompile/.test(name));
}

/** Whether code still is what `build/codegen` has generated. */
function isGenerated(code: string): boolean {
  return /wasm-precompile:runtime|\?wasm-instance/.test(code);
}
