/** The hooks that only Vite has, or that only Vite needs: its configuration, and pages that load wasm files early. */
import type { Plugin, ResolvedConfig } from 'vite';
import type { BundlerContext } from '../../build/bundler-context.ts';
import { loadBeforeLazyImports } from '../../build/output/early-loading.ts';
import type { WasmPlugin } from '../../build/plugin.ts';
import { registerFormat, renderEntry } from '../rollup/register-file.ts';
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
        library: config.build.lib !== false,
        web: pageSettings(config),
      };
    },
    async renderChunk(code, chunk, { format }, { chunks }) {
      const context = contextOf(this);
      const early = plugin.earlyLoading(context);
      // Pages load files early. Programs on a server may have a register file.
      return early && format === 'es' && context.platform === 'browser'
        ? loadBeforeLazyImports(early, chunks, code, chunk)
        : renderEntry(plugin, context, code, chunk, registerFormat(format, this.environment));
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
