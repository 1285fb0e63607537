/** The hooks that only Vite has, or that only Vite needs: its configuration, and pages that load wasm files early. */
import type { Plugin, ResolvedConfig } from 'vite';
import type { BundlerContext } from '../../build/bundler-context.ts';
import { loadBeforeLazyImports } from '../../build/output/early-loading.ts';
import type { WasmPlugin } from '../../build/plugin.ts';
import { viteInlineLimit } from './inline-limit.ts';
import { pageSettings } from './page-settings.ts';

type ViteHooks = Pick<Plugin, 'configResolved' | 'renderChunk' | 'transformIndexHtml'>;

/**
 * @param contextOf returns the bundler, by `this` of a hook
 * @param nameOf returns the name of an emitted file, by its URL expression
 */
export function viteHooks(
  plugin: WasmPlugin,
  contextOf: (hook: unknown) => BundlerContext,
  nameOf: (url: string) => string | undefined,
): ViteHooks {
  return {
    configResolved(config: ResolvedConfig) {
      plugin.settings = {
        dev: config.command === 'serve',
        inlineLimit: viteInlineLimit(config.build.assetsInlineLimit),
        urlImports: true,
        web: pageSettings(config),
      };
    },
    async renderChunk(code, chunk, { format }, { chunks }) {
      const early = plugin.earlyLoading(contextOf(this));
      return early && format === 'es' ? loadBeforeLazyImports(early, chunks, code, chunk) : undefined;
    },
    transformIndexHtml: {
      order: 'post',
      handler: (html, { path, bundle, chunk }) =>
        bundle && chunk
          ? plugin.preparePage({ html, file: path.slice(1), entry: chunk.fileName, graph: bundle, nameOf })
          : html,
    },
  };
}
