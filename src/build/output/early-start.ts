/**
 * Loading that begins with the page, or with the request for a chunk that is imported lazily. What loads a module is a
 * chunk of its own, and begins to when it runs; here others are made to run it early.
 *
 * Not `<link rel="preload">`, nor `fetch`: Chromium uses its cached code only where compiling begins with the request.
 */
import { posix } from 'node:path';
import { init, parse } from 'es-module-lexer';
import { MagicString, type SourceMap } from 'magic-string';
import type { HtmlTagDescriptor } from 'vite';

/** What bundlers say of a chunk, when it is rendered and when it is done. */
export interface GraphChunk {
  fileName: string;
  moduleIds: string[];
  imports: string[];
  dynamicImports: string[];
}

/** By file name. */
export type ChunkGraph = Readonly<Record<string, GraphChunk | { type: 'asset' }>>;

export interface EarlyStart {
  /** Whether a module is one of our loaders. */
  isLoader: (id: string) => boolean;
  /** Whether a module is ours altogether, so that nobody minds when it runs. */
  isOurs: (id: string) => boolean;
  /** Whether a module is the glue code of one that is imported, which waits for it, or what that needs of the runtime. */
  isGlue: (id: string) => boolean;
}

/**
 * Chunks that load a module which this one needs, itself or by what it imports statically.
 *
 * @param lazily whether what is imported lazily counts, too; what is not comes first
 */
export function findStarters(
  start: EarlyStart,
  graph: ChunkGraph,
  fileName: string,
  lazily = false,
): GraphChunk[] {
  return closure(graph, fileName, lazily).filter(
    (chunk) =>
      chunk.moduleIds.some(start.isLoader) &&
      // Another plugin, or a setting, may have put other modules into the chunk.
      closure(graph, chunk.fileName).every(({ moduleIds }) => moduleIds.every(start.isOurs)),
  );
}

/**
 * Small chunks that have to be there before a module begins to load that is imported lazily: what an entry's own code imports
 * in this way, and no more. Without them a module would be asked for a round trip later than it could be.
 *
 * @param lazily whether code counts, too, that is imported lazily itself
 */
export function findLater(start: EarlyStart, graph: ChunkGraph, entry: string, lazily = false): GraphChunk[] {
  const there = new Set(closure(graph, entry));
  const later = new Set<GraphChunk>();
  for (const target of closure(graph, entry, lazily).flatMap(({ dynamicImports }) => dynamicImports)) {
    const starters = findStarters(start, graph, target).filter((chunk) => !there.has(chunk));
    const chunks = starters.flatMap(({ fileName }) => closure(graph, fileName));
    // The chunk that is imported itself: only where there is nothing else in it.
    const own = closure(graph, target).filter(
      ({ moduleIds }) => chunks.length > 0 && moduleIds.length > 0 && moduleIds.every(start.isGlue),
    );
    for (const chunk of [...chunks, ...own]) later.add(chunk);
  }
  return [...later].filter((chunk) => !there.has(chunk));
}

/**
 * A chunk that runs the starters of others when it imports them lazily; undefined where there is nothing to do. What is
 * needed statically has been started before.
 */
export async function startLazily(
  start: EarlyStart,
  graph: ChunkGraph,
  code: string,
  { fileName }: GraphChunk,
): Promise<{ code: string; map: SourceMap } | undefined> {
  if (!code.includes('import(')) return undefined;
  const there = new Set(findStarters(start, graph, fileName));
  const folder = posix.dirname(fileName);
  await init();
  const text = new MagicString(code);
  const functions = new Map<string, string>();
  for (const { type, specifier, importStart, importEnd } of parse(code)[0]) {
    if (type !== 'dynamic' || specifier === undefined) continue;
    const starters = findStarters(start, graph, posix.join(folder, specifier)).filter(
      (chunk) => !there.has(chunk),
    );
    if (starters.length === 0) continue;
    const imports = starters.map(
      (chunk) => `import(${JSON.stringify(`./${posix.relative(folder, chunk.fileName)}`)}).catch(() => {});`,
    );
    const body = imports.join(' ');
    const name = functions.get(body) ?? `__wasmPrecompileStart${functions.size}`;
    functions.set(body, name);
    // A call, not a sequence in parentheses: those may be taken for arguments of the line before.
    text.appendLeft(importStart, `${name}(() => `).appendRight(importEnd, ')');
  }
  if (functions.size === 0) return undefined;
  // At the end: Vite pairs each import before that with a list of what to load for it.
  for (const [body, name] of functions) {
    text.append(`\nfunction ${name}(load) { ${body} return load(); }`);
  }
  return { code: text.toString(), map: text.generateMap({ hires: 'boundary' }) };
}

/** Tags that begin to load what a page needs, as Vite takes them. */
export function startTags(urls: readonly string[]): HtmlTagDescriptor[] {
  return urls.map((src) => ({
    tag: 'script',
    attrs: { type: 'module', async: true, crossorigin: true, src },
    injectTo: 'head',
  }));
}

/** Of a file, in its turn. */
const MODULE_SCRIPT = /<script\b(?=[^>]*\stype="?module\b)(?=[^>]*\ssrc=)(?![^>]*\sasync\b)[^>]*>/;

/**
 * Scripts run in their order unless they are `async`. An entry runs after what it imports statically; here after what it does not
 * import, too: else it could come first, and what it works at would delay the requests.
 *
 * @returns the page's HTML
 */
export function startBefore(html: string, urls: readonly string[]): string {
  const at = html.search(MODULE_SCRIPT);
  if (at === -1) return html;
  const scripts = urls.map((url) => `<script type="module" crossorigin src="${url}"></script>\n`);
  return html.slice(0, at) + scripts.join('') + html.slice(at);
}

/** Tags that ask for chunks, as Vite writes them itself: it then asks for none of them a second time. */
export function laterTags(urls: readonly string[]): HtmlTagDescriptor[] {
  return urls.map((href) => ({
    tag: 'link',
    attrs: { rel: 'modulepreload', crossorigin: true, href },
    injectTo: 'head',
  }));
}

/** With the modes of the later `fetch`, so that the browser takes what was preloaded for it. */
export function preloadTags(urls: readonly string[]): HtmlTagDescriptor[] {
  return urls.map((href) => ({
    tag: 'link',
    attrs: { rel: 'preload', as: 'fetch', crossorigin: true, href },
    injectTo: 'head',
  }));
}

/** A chunk and all that it imports statically; then, where it is asked for, all that these import lazily, and so on. */
function closure(graph: ChunkGraph, fileName: string, lazily = false): GraphChunk[] {
  const chunks = new Map<string, GraphChunk>();
  const visit = (name: string) => {
    const chunk = graph[name];
    if (!chunk || !('moduleIds' in chunk) || chunks.has(name)) return;
    chunks.set(name, chunk);
    for (const imported of chunk.imports) visit(imported);
  };
  visit(fileName);
  // It goes on with those that are added meanwhile.
  if (lazily) for (const { dynamicImports } of chunks.values()) dynamicImports.forEach(visit);
  return [...chunks.values()];
}
