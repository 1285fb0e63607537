/** Loads scripts that load wasm files at run time. Other plugins and the bundler load all other scripts. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Loader, OnLoadResult } from 'esbuild';
import type { BundlerContext } from '../../build/bundler-context.ts';
import { RUNTIME_LOADING_TEXT } from '../../build/discover/find-runtime-loading.ts';
import { parseScript, type ScriptLanguage } from '../../build/discover/parse-script.ts';
import type { RewrittenScript } from '../../build/discover/rewrite-runtime-loading.ts';
import type { WasmPlugin } from '../../build/plugin.ts';
import type { Settings } from './settings.ts';

/** @returns undefined if nothing changes in the script */
export async function loadScript(
  plugin: WasmPlugin,
  context: BundlerContext,
  { loaders, resolver, sourceMaps, runningFile }: Settings,
  file: string,
): Promise<OnLoadResult | undefined> {
  const loader = loaderOf(file, loaders);
  if (!isScript(loader)) return undefined;
  // Only the bundler can read a file in an archive (Yarn's Plug'n'Play).
  const code = await readFile(file, 'utf8').catch(() => undefined);
  if (code === undefined || !RUNTIME_LOADING_TEXT.test(code)) return undefined;
  const changed = await plugin.rewriteRuntimeLoading(
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

/** Returns the loader of a file, by its longest extension that has one. */
function loaderOf(file: string, loaders: Settings['loaders']): Loader | undefined {
  const name = basename(file);
  for (let at = name.indexOf('.'); at !== -1; at = name.indexOf('.', at + 1)) {
    const loader = loaders[name.slice(at)] ?? DEFAULT_LOADERS[name.slice(at)];
    if (loader) return loader;
  }
  return undefined;
}

const DEFAULT_LOADERS: Settings['loaders'] = {
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
