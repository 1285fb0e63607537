/** HTML that makes a page load wasm files, or the chunks that load them, early. */

/** A tag for the head of a page. */
export interface HeadTag {
  tag: string;
  attrs: Record<string, string | boolean>;
  injectTo: 'head';
}

/** Scripts that begin to load the wasm files that a page needs. */
export function loadingTags(urls: readonly string[]): HeadTag[] {
  return urls.map((src) => ({
    tag: 'script',
    attrs: { type: 'module', async: true, crossorigin: true, src },
    injectTo: 'head',
  }));
}

/** A module script from a file that runs in document order. */
const MODULE_SCRIPT = /<script\b(?=[^>]*\stype="?module\b)(?=[^>]*\ssrc=)(?![^>]*\sasync\b)[^>]*>/;

/**
 * Inserts scripts before the entry of a page. Scripts without `async` run in document order, so the entry runs
 * after these scripts although it does not import them. Otherwise the entry might run first, and its work would
 * delay their requests.
 *
 * @returns the page's HTML
 */
export function insertLoadingScripts(html: string, urls: readonly string[]): string {
  const at = html.search(MODULE_SCRIPT);
  if (at === -1) return html;
  const scripts = urls.map((url) => `<script type="module" crossorigin src="${url}"></script>\n`);
  return html.slice(0, at) + scripts.join('') + html.slice(at);
}

/** Links that request chunks, as Vite writes them: Vite then adds no second link for the same chunk. */
export function modulePreloadTags(urls: readonly string[]): HeadTag[] {
  return urls.map((href) => ({
    tag: 'link',
    attrs: { rel: 'modulepreload', crossorigin: true, href },
    injectTo: 'head',
  }));
}

/** Links that request wasm files, with the modes of the later `fetch`, so that the browser reuses the response. */
export function preloadTags(urls: readonly string[]): HeadTag[] {
  return urls.map((href) => ({
    tag: 'link',
    attrs: { rel: 'preload', as: 'fetch', crossorigin: true, href },
    injectTo: 'head',
  }));
}
