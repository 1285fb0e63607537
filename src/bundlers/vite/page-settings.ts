/** Vite's settings for pages: the URLs of their files, and whether an output may have several chunks. */
import { posix } from 'node:path';
import type { ResolvedConfig } from 'vite';
import type { PageSettings } from '../../build/bundler-context.ts';
import { encodePath } from '../../common/encode-path.ts';

export function pageSettings(config: ResolvedConfig): PageSettings {
  const { base, build, isWorker } = config;
  const { renderBuiltUrl } = config.experimental;
  return {
    worker: isWorker,
    development: config.mode === 'development',
    early: !isWorker && build.lib === false && allowsChunks(build.rollupOptions.output),
    preloaded(fileNames, html, entry) {
      const { modulePreload } = build;
      if (modulePreload === false) return [];
      const context = { hostId: html, hostType: 'html' } as const;
      return modulePreload.resolveDependencies?.(entry, [...fileNames], context) ?? fileNames;
    },
    urlInHtml(fileName, html) {
      const built = renderBuiltUrl?.(fileName, { type: 'asset', hostId: html, hostType: 'html', ssr: false });
      if (typeof built === 'string') return built;
      const relative = built?.relative ?? (base === './' || base === '');
      return relative
        ? encodePath(posix.relative(posix.dirname(html), fileName))
        : `${base}${encodePath(fileName)}`;
    },
    urlInChunk(fileName, chunk) {
      const built = renderBuiltUrl?.(fileName, { type: 'asset', hostId: chunk, hostType: 'js', ssr: false });
      if (typeof built === 'string') return JSON.stringify(built);
      return built?.runtime;
    },
  };
}

/** Whether an output may have several chunks. */
function allowsChunks(output: ResolvedConfig['build']['rollupOptions']['output']): boolean {
  return [output ?? {}].flat().every((options) => {
    const { format, inlineDynamicImports, codeSplitting } = options as Record<string, unknown>;
    const modules = format === undefined || /^(es|esm|module|system|systemjs)$/.test(String(format));
    return modules && inlineDynamicImports !== true && codeSplitting !== false;
  });
}
