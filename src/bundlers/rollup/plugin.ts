/** Vite, Rollup and Rolldown: bundlers with Rollup's plugin interface. */
import { dirname, resolve } from 'node:path';
import type { Program } from 'estree';
import type { UnpluginOptions } from 'unplugin';
import type { ResolvedConfig } from 'vite';
import { type WasmPlugin, RESOLVE_FILTER } from '../../build/plugin.ts';
import type { BundlerContext, Resolved, PageSettings, WrittenOutput } from '../../build/bundler-context.ts';
import { encodePath } from '../../common/encode-path.ts';
import {
  type AssetFileNames,
  findAssetHash,
  findOutputFiles,
  type SourceMapFileNames,
  type WrittenFile,
} from '../../build/output/file-names.ts';
import type { Platform } from '../../build/codegen/generate.ts';
import { RUNTIME_LOADING_TEXT } from '../../build/discover/find-runtime-loading.ts';
import { parseRequest, WASM_REQUEST } from '../../build/requests/request.ts';
import { conflict } from '../../build/requests/conflict.ts';
import { SOURCE_PHASE } from '../../build/requests/source-phase.ts';
import { SCRIPT_ID } from '../../build/discover/rewrite-runtime-loading.ts';
import { viteInlineLimit } from '../vite/inline-limit.ts';
import { pageSettings } from '../vite/page-settings.ts';
import { startLazily } from '../../build/output/early-start.ts';
import { NAME } from '../../common/version.ts';
import { updateBundle } from './update-bundle.ts';

/** What the hooks of all of them have beyond unplugin's common part. */
interface RollupContext {
  addWatchFile(file: string): void;
  warn(message: string): void;
  info(message: string): void;
  resolve(
    source: string,
    importer: string | undefined,
    options: { skipSelf: boolean },
  ): Promise<Resolved | null>;
  emitFile(
    file:
      | { type: 'asset'; name?: string; fileName?: string; source: Uint8Array }
      | { type: 'chunk'; id: string; name: string; preserveSignature: false },
  ): string;
  getFileName(referenceId: string): string;
  /** @param options Rolldown only */
  parse(code: string, options?: { lang?: string }): Program;
  meta: { watchMode: boolean; rolldownVersion?: string | undefined };
  /** Vite's environment. */
  environment?: {
    name: string;
    config: {
      consumer: 'client' | 'server';
      ssr?: { target?: 'node' | 'webworker' | undefined };
      resolve?: { conditions?: readonly string[] };
    };
  };
}

/** What `resolveFileUrl` hooks are given. */
interface FileUrl {
  referenceId: string;
  /** From the chunk to the file. */
  relativePath: string;
  format: string;
  fileName: string;
  chunkId: string;
}

/** The options of an output that are looked at. */
interface OutputSettings {
  dir?: string | undefined;
  file?: string | undefined;
  format?: string | undefined;
  assetFileNames: AssetFileNames;
  sourcemapFileNames?: SourceMapFileNames;
}

interface EmittedAsset {
  name: string;
  source: Uint8Array;
  /** What loads it. */
  platform: Platform;
}

/** The plugins for one bundler. */
export function rollupPlugins(bundle: WasmPlugin): UnpluginOptions[] {
  const assets = new Assets();
  /** Rolldown's own. */
  let platform: Platform | undefined;

  const contextOf = (hook: unknown): BundlerContext => {
    const context = hook as RollupContext;
    const { environment } = context;
    const consumer = environment?.config.consumer;
    const runs = bundle.platform(consumer ? (consumer === 'client' ? 'browser' : 'node') : platform);
    return {
      addWatchFile: (file) => context.addWatchFile(file),
      warn: (message) => context.warn(message),
      info: (message) => context.info(message),
      resolve: (request, importer) => context.resolve(request, importer, { skipSelf: true }),
      emit: (name, source) => assets.emit(context, name, source, runs),
      emitChunk: (id, name) => void context.emitFile({ type: 'chunk', id, name, preserveSignature: false }),
      watchMode: context.meta.watchMode,
      platform: runs,
      environment: environment?.name ?? '',
    };
  };

  /** Ids of modules that are ours, and names of plugins that may want them, too. */
  const loaded = new Set<string>();
  let rivals: string[] = [];

  // The same in all of them.
  const transform = {
    filter: { code: SOURCE_PHASE },
    handler(this: unknown, code: string, id: string) {
      return bundle.transform(contextOf(this), code, id);
    },
  };
  const outputHooks = {
    moduleParsed(this: unknown, { id, code }: { id: string; code: string | null }) {
      const file = parseRequest(id)?.file;
      if (file === undefined || code === null || isGlue(code) || !bundle.isOurs(file)) return;
      const plugins = rivals.map((name) => `"${name}"`).join(' or ') || 'that comes before';
      const error = conflict(file, `another plugin, ${plugins},`);
      // What another plugin has made of our code is nothing; what it has loaded itself may be what is wanted.
      if (loaded.has(id)) throw error;
      contextOf(this).warn(error.message);
    },
    transform: { ...transform, order: 'pre' as const },
    renderStart(settings: Pick<OutputSettings, 'dir' | 'file' | 'format'>) {
      bundle.startOutput(folderOf(settings), settings.format);
    },
    resolveFileUrl(file: FileUrl) {
      const asset = assets.find(file.referenceId);
      if (!asset) return undefined;
      assets.noteName(file);
      const { web } = bundle.settings;
      return (web && asset.platform === 'browser' ? pageUrl(file, web) : undefined) ?? fileUrl(file);
    },
    onLog(_level: string, log: { code?: string | undefined; message: string }) {
      return assets.isExpected(log) ? false : undefined;
    },
    generateBundle: {
      order: 'post' as const,
      handler(this: unknown, _options: unknown, output: Readonly<Record<string, unknown>>) {
        assets.restore(this as RollupContext, output);
      },
    },
    writeBundle: {
      order: 'post' as const,
      sequential: true as const,
      async handler(this: unknown, options: unknown, output: unknown) {
        const context = this as RollupContext;
        const settings = options as OutputSettings;
        const written = describeOutput(context, assets, settings, output as Record<string, WrittenFile>);
        await bundle.train(contextOf(context), written);
        await bundle.summarize(contextOf(context), written.folder);
      },
    },
  };

  const plugin: UnpluginOptions = {
    name: NAME,
    enforce: 'pre',
    buildStart(this: unknown, options?: { plugins?: readonly { name: string }[] }) {
      loaded.clear();
      rivals = (options?.plugins ?? [])
        .map(({ name }) => name)
        .filter((name) => /wasm/i.test(name) && !/^vite:|^native:|^unplugin-wasm-precompile/.test(name));
      assets.start(this as RollupContext);
      bundle.start(contextOf(this));
    },
    resolveId: {
      filter: { id: RESOLVE_FILTER },
      handler(id, importer) {
        return bundle.resolve(contextOf(this), id, importer);
      },
    },
    load: {
      filter: { id: WASM_REQUEST },
      handler(id) {
        loaded.add(id);
        return bundle.load(contextOf(this), id);
      },
    },
    rollup: outputHooks,
    rolldown: {
      ...outputHooks,
      // Rolldown reports top-level await in the wrong format itself, before `renderStart`.
      outputOptions({ format }: { format?: string | undefined }) {
        bundle.format = format;
      },
      options(options: { platform?: string }) {
        platform = options.platform === 'browser' ? 'browser' : undefined;
      },
    },
    vite: {
      ...outputHooks,
      outputOptions({ format }: { format?: string | undefined }) {
        bundle.format = format;
      },
      configResolved(config: ResolvedConfig) {
        bundle.settings = {
          dev: config.command === 'serve',
          inlineLimit: viteInlineLimit(config.build.assetsInlineLimit),
          urlImports: true,
          web: pageSettings(config),
        };
      },
      async renderChunk(code, chunk, { format }, { chunks }) {
        const start = bundle.webStart(contextOf(this));
        return start && format === 'es' ? startLazily(start, chunks, code, chunk) : undefined;
      },
      transformIndexHtml: {
        order: 'post',
        handler: (html, { path, bundle: output, chunk }) =>
          output && chunk
            ? bundle.startPage(html, path.slice(1), output, chunk.fileName, (url) => assets.nameOf(url))
            : html,
      },
    },
  };

  // After everybody else: what gets here is loaded by nobody.
  const transformLast = { ...transform, order: 'post' as const };
  const loadLast = {
    filter: { id: WASM_REQUEST },
    handler(id: string) {
      bundle.refuseForeign(id);
    },
  };
  const last: UnpluginOptions = {
    name: `${NAME}:unknown-forms`,
    enforce: 'post',
    // Vite and Rolldown themselves resolve files with a query.
    rollup: {
      // Again, for what is JavaScript only now.
      transform: transformLast,
      load: { ...loadLast, order: 'post' },
      resolveId: {
        order: 'post',
        filter: { id: RESOLVE_FILTER },
        handler(id, importer) {
          return bundle.resolveForeign(contextOf(this), id, importer);
        },
      },
    },
    rolldown: { transform: transformLast, load: { ...loadLast, order: 'post' } },
    // Not later than `enforce` says: Vite's own plugin that reads any file comes last.
    vite: { transform: transformLast, load: loadLast },
  };

  // When all that is left is JavaScript, and CommonJS is ES modules where the bundler does not know it.
  const transformGlue = {
    order: 'post' as const,
    filter: { id: SCRIPT_ID, code: RUNTIME_LOADING_TEXT },
    handler(this: unknown, code: string, id: string, meta?: object) {
      const context = this as RollupContext;
      // Only Rolldown says, which has TypeScript until the end.
      const lang = meta && 'moduleType' in meta ? String(meta.moduleType) : undefined;
      return bundle.rewriteRuntimeLoading(contextOf(context), code, id, {
        parse: (text) => context.parse(text, lang === undefined ? {} : { lang }),
        commonJs: context.meta.rolldownVersion !== undefined,
        hasNode: hasNode(context),
      });
    },
  };
  const glue: UnpluginOptions = {
    name: `${NAME}:glue`,
    enforce: 'post',
    rollup: { transform: transformGlue },
    rolldown: { transform: transformGlue },
    vite: { transform: transformGlue },
  };
  return [plugin, last, glue];
}

/** Servers that Vite builds for need not be Node: those of workers have none of its modules. */
function hasNode({ environment }: RollupContext): boolean {
  const { ssr, resolve: { conditions = [] } = {} } = environment?.config ?? {};
  const worker = conditions.some((name) => ['workerd', 'worker', 'edge-light'].includes(name));
  return !worker && ssr?.target !== 'webworker';
}

/**
 * Not as one word: Nitro (2) takes the text `import.meta.` for something of its own, in modules and in chunks, and the URL of every chunk
 * would be that of the entry.
 */
const IMPORT_META = 'import.meta/**/';

/** Whether code is still what `core/glue.ts` has made. */
function isGlue(code: string): boolean {
  return /wasm-precompile:runtime|\?wasm-instance/.test(code);
}

/** What was emitted in one run of the bundler. */
class Assets {
  /** By Vite's environment, then by reference. */
  readonly #emitted = new Map<string, Map<string, EmittedAsset>>();
  /** Names of files that were emitted a second time. */
  readonly #restored = new Set<string>();
  /** Names of files, by URL expression, of those that a chunk refers to. */
  readonly #names = new Map<string, string>();

  /** A new run, in watch mode one of many. */
  start(context: RollupContext): void {
    this.#of(context).clear();
  }

  emit(
    context: RollupContext,
    name: string,
    source: Uint8Array,
    platform: Platform,
  ): { id: string; url: string } {
    const id = context.emitFile({ type: 'asset', name, source });
    this.#of(context).set(id, { name, source, platform });
    return { id, url: urlExpression(id) };
  }

  noteName({ referenceId, fileName }: FileUrl): void {
    this.#names.set(urlExpression(referenceId), fileName);
  }

  /** @param url as `emit` gives it */
  nameOf(url: string): string | undefined {
    return this.#names.get(url);
  }

  get(context: RollupContext, referenceId: string): EmittedAsset | undefined {
    return this.#of(context).get(referenceId);
  }

  /** In any environment. */
  find(referenceId: string): EmittedAsset | undefined {
    for (const emitted of this.#emitted.values()) {
      const asset = emitted.get(referenceId);
      if (asset) return asset;
    }
    return undefined;
  }

  /** Emits again what another plugin took out of the bundle: Vite drops every asset of a server build. */
  restore(context: RollupContext, bundle: Readonly<Record<string, unknown>>): void {
    for (const [referenceId, { source }] of this.#of(context)) {
      const fileName = fileNameOf(context, referenceId);
      if (fileName === undefined || fileName in bundle) continue;
      this.#restored.add(fileName);
      context.emitFile({ type: 'asset', fileName, source });
    }
  }

  /** Whether a bundler's log is about a file that was emitted twice on purpose. */
  isExpected({ code, message }: { code?: string | undefined; message: string }): boolean {
    return (
      code === 'FILE_NAME_CONFLICT' && [...this.#restored].some((fileName) => message.includes(fileName))
    );
  }

  #of({ environment }: RollupContext): Map<string, EmittedAsset> {
    const name = environment?.name ?? '';
    const emitted = this.#emitted.get(name) ?? new Map<string, EmittedAsset>();
    this.#emitted.set(name, emitted);
    return emitted;
  }
}

/** Undefined for what another run of the bundler has emitted, with which this one shares the plugin. */
function fileNameOf(context: RollupContext, referenceId: string): string | undefined {
  try {
    return context.getFileName(referenceId);
  } catch {
    return undefined;
  }
}

/** The expression for the URL of an emitted file, relative to the chunk that uses it. */
function fileUrl({ relativePath, format }: FileUrl): string | undefined {
  const path = relativePath.replaceAll('\\', '/');
  const url = encodePath(path);
  if (/^(es|esm|module)$/.test(format)) return `new URL(${JSON.stringify(url)}, ${IMPORT_META}.url).href`;
  if (/^(cjs|commonjs)$/.test(format)) {
    return `require("node:url").pathToFileURL(__dirname + ${JSON.stringify(`/${path}`)}).href`;
  }
  return undefined;
}

/** In a page where that is not relative to the chunk, or the chunk does not know its own place; else undefined. */
function pageUrl(
  { relativePath, format, fileName, chunkId }: FileUrl,
  { worker, urlInChunk }: PageSettings,
): string | undefined {
  const elsewhere = urlInChunk(fileName, chunkId);
  const base = format === 'iife' && worker ? 'self.location.href' : undefined;
  if (elsewhere === undefined && base === undefined) return undefined;
  const url = elsewhere ?? JSON.stringify(encodePath(relativePath.replaceAll('\\', '/')));
  return `new URL(${url}, ${base ?? `${IMPORT_META}.url`}).href`;
}

function urlExpression(referenceId: string): string {
  return `${IMPORT_META}.ROLLUP_FILE_URL_${referenceId}`;
}

function describeOutput(
  context: RollupContext,
  assets: Assets,
  settings: OutputSettings,
  output: Record<string, WrittenFile>,
): WrittenOutput {
  return {
    folder: folderOf(settings),
    files: () => findOutputFiles(Object.values(output), settings.sourcemapFileNames),
    find: (id) => {
      const name = fileNameOf(context, id);
      const asset = assets.get(context, id);
      if (name === undefined || !asset) return undefined;
      return { name, hash: findAssetHash(name, asset.name, asset.source, settings.assetFileNames) };
    },
    keepNames: undefined,
    update: (rewritten) => updateBundle(output, rewritten, context.meta.rolldownVersion !== undefined),
  };
}

/** Where an output is written, as an absolute path; undefined where the bundler does not say. */
function folderOf({ dir, file }: Pick<OutputSettings, 'dir' | 'file'>): string | undefined {
  const folder = dir ?? (file === undefined ? undefined : dirname(file));
  return folder === undefined ? undefined : resolve(folder);
}
