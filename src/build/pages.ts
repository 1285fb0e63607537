/** Pages that load their wasm files early: which chunks do so, and what an HTML file gets for it. */
import type { PageSettings } from './bundler-context.ts';
import type { ResolvedOptions } from './options/resolve.ts';
import {
  type ChunkGraph,
  type EarlyLoading,
  findLazyChunks,
  findLoadingChunks,
  type GraphChunk,
} from './output/early-loading.ts';
import type { EnvironmentOutput } from './output/environment-output.ts';
import {
  type HeadTag,
  insertLoadingScripts,
  loadingTags,
  modulePreloadTags,
  preloadTags,
} from './output/page-html.ts';
import { parseRequest } from './requests/request.ts';
import { isRuntimeModule } from './requests/runtime-modules.ts';

/** An HTML file of the output. */
export interface Page {
  html: string;
  /** Path in the output. */
  file: string;
  /** Name of the chunk that the page runs. */
  entry: string;
  /** All chunks of the output. */
  graph: ChunkGraph;
  /** Returns the name of an emitted file, by its URL expression. */
  nameOf: (url: string) => string | undefined;
}

/** The HTML of a page, and tags to add to it. */
export interface PreparedPage {
  html: string;
  tags: HeadTag[];
}

/** Returns which modules of these outputs load wasm files early. */
export function earlyLoadingOf(outputs: readonly EnvironmentOutput[]): EarlyLoading {
  const isSharedHandle = (id: string) => outputs.some((output) => output.webUrl(id) !== undefined);
  return {
    isSharedHandle,
    isGenerated: (id) => parseRequest(id) !== undefined || isRuntimeModule(id),
    isInternal: (id) => isSharedHandle(id) || isRuntimeModule(id),
  };
}

/** Makes a page load its wasm files early. */
export function addEarlyLoading(
  { html, file, entry, graph, nameOf }: Page,
  settings: PageSettings,
  options: ResolvedOptions['web'],
  outputs: readonly EnvironmentOutput[],
): PreparedPage {
  const early = earlyLoadingOf(outputs);
  const lazily = options.preload === 'all';
  const needed = findLoadingChunks(early, graph, entry);
  const loading = lazily ? findLoadingChunks(early, graph, entry, true) : needed;
  const lazy = findLazyChunks(early, graph, entry, lazily)
    .filter((chunk) => !loading.includes(chunk))
    .map(({ fileName }) => fileName);
  const linked = linksWasmFiles(options) ? loading : [];
  const wasmFiles = linked
    .flatMap(({ moduleIds }) => moduleIds.flatMap((id) => outputs.map((output) => output.webUrl(id))))
    .map((url) => url && nameOf(url))
    .filter((name) => name !== undefined);

  const urlOf = (fileName: string) => settings.urlInHtml(fileName, file);
  const urlsOf = (chunks: readonly GraphChunk[]) => chunks.map(({ fileName }) => urlOf(fileName));
  return {
    html: insertLoadingScripts(html, urlsOf(loading.filter((chunk) => !needed.includes(chunk)))),
    tags: [
      ...preloadTags(wasmFiles.map(urlOf)),
      ...loadingTags(urlsOf(loading)),
      ...modulePreloadTags(settings.preloaded(lazy, file, entry).map(urlOf)),
    ],
  };
}

/**
 * Whether the page links wasm files by `<link rel="preload">`. A link cannot request a byte range, and Firefox does not
 * use a link with a hash: it would load the file twice.
 */
function linksWasmFiles({ preload, delivery, integrity }: ResolvedOptions['web']): boolean {
  return preload === 'link' && delivery !== 'range' && !integrity;
}
