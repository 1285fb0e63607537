/** The unplugin: hooks only; `core/bundle.ts` does the work. */
import { createUnplugin, type UnpluginFactory, type UnpluginInstance, type UnpluginOptions } from 'unplugin';
import type { ResolvedConfig } from 'vite';
import { Bundle, RESOLVE_FILTER } from './core/bundle.ts';
import type { BundlerContext, OutputSettings } from './core/bundler-context.ts';
import type { WrittenFile } from './core/file-names.ts';
import { type Options, resolveOptions } from './core/options.ts';
import { WASM_REQUEST } from './core/request.ts';
import { SOURCE_PHASE } from './core/source-phase.ts';
import { viteInlineLimit } from './core/vite-inline-limit.ts';

export type { CacheStore } from './core/cache.ts';
export type { Options, TrainingOptions } from './core/options.ts';
export { WasmPrecompileError } from './error.ts';

const factory: UnpluginFactory<Options | undefined, true> = (options) => {
  const bundle = new Bundle(resolveOptions(options));

  // The same in every bundler with Rollup's plugin interface.
  const transform = {
    filter: { code: SOURCE_PHASE },
    handler(this: unknown, code: string, id: string) {
      return bundle.transform(this as BundlerContext, code, id);
    },
  };
  const outputHooks = {
    transform: { ...transform, order: 'pre' as const },
    renderStart(settings: Pick<OutputSettings, 'dir' | 'file' | 'format'>) {
      bundle.startOutput(settings);
    },
    resolveFileUrl({
      referenceId,
      relativePath,
      format,
    }: {
      referenceId: string;
      relativePath: string;
      format: string;
    }) {
      return bundle.resolveFileUrl(referenceId, relativePath, format);
    },
    onLog(_level: string, log: { code?: string | undefined; message: string }) {
      return bundle.isExpected(log) ? false : undefined;
    },
    generateBundle: {
      order: 'post' as const,
      handler(this: unknown, _options: unknown, output: Readonly<Record<string, unknown>>) {
        bundle.restore(this as BundlerContext, output);
      },
    },
    writeBundle: {
      order: 'post' as const,
      sequential: true as const,
      async handler(this: unknown, settings: unknown, output: unknown) {
        await bundle.train(
          this as BundlerContext,
          settings as OutputSettings,
          output as Record<string, WrittenFile>,
        );
        await bundle.summarize(this as BundlerContext, settings as OutputSettings);
      },
    },
  };

  const plugin: UnpluginOptions = {
    name: 'unplugin-wasm-precompile',
    enforce: 'pre',
    buildStart() {
      bundle.start(this as unknown as BundlerContext);
    },
    resolveId: {
      filter: { id: RESOLVE_FILTER },
      handler(id, importer) {
        return bundle.resolve(this as unknown as BundlerContext, id, importer);
      },
    },
    load: {
      filter: { id: WASM_REQUEST },
      handler(id) {
        return bundle.load(this as unknown as BundlerContext, id);
      },
    },
    rollup: outputHooks,
    rolldown: {
      ...outputHooks,
      // Rolldown reports top-level await in the wrong format itself, before `renderStart`.
      outputOptions({ format }: { format?: string | undefined }) {
        bundle.format = format;
      },
      options({ platform }: { platform?: string }) {
        bundle.settings.platform = platform === 'browser' ? 'browser' : undefined;
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
        };
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
    name: 'unplugin-wasm-precompile:unknown-forms',
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
          return bundle.resolveForeign(this as unknown as BundlerContext, id, importer);
        },
      },
    },
    rolldown: { transform: transformLast, load: { ...loadLast, order: 'post' } },
    // Not later than `enforce` says: Vite's own plugin that reads any file comes last.
    vite: { transform: transformLast, load: loadLast },
  };
  return [plugin, last];
};

const { vite, rollup, rolldown } = /* @__PURE__ */ createUnplugin(factory);

/** The plugin for each bundler that is supported. */
const wasmPrecompile: Pick<UnpluginInstance<Options | undefined, true>, 'vite' | 'rollup' | 'rolldown'> = {
  vite,
  rollup,
  rolldown,
};

export default wasmPrecompile;
