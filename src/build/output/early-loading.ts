/**
 * Loading that begins with the page, or with the request for a lazily imported chunk. The module that loads a wasm
 * file is a chunk of its own, which begins to load the file when it runs; this file makes other code run that chunk
 * early.
 *
 * `<link rel="preload">` or `fetch` would not do: Chromium uses its cached code only if compilation begins with the
 * request.
 */
import { posix } from 'node:path';
import { init, parse } from 'es-module-lexer';
import { MagicString, type SourceMap } from 'magic-string';

/** A bundler's description of a chunk, while it is rendered and afterwards. */
export interface GraphChunk {
  fileName: string;
  moduleIds: string[];
  imports: string[];
  dynamicImports: string[];
}

/** By file name. */
export type ChunkGraph = Readonly<Record<string, GraphChunk | { type: 'asset' }>>;

/** Classifies modules by their ids. */
export interface EarlyLoading {
  /** Whether a module loads a wasm file when it runs. */
  isSharedHandle: (id: string) => boolean;
  /** Whether a module consists of the plugin's code only, so that it may run at any time. */
  isInternal: (id: string) => boolean;
  /** Whether a module is generated code that an import waits for, or a part of the runtime. */
  isGenerated: (id: string) => boolean;
}

/**
 * Chunks that begin to load the wasm files which a chunk needs, itself or through static imports.
 *
 * @param lazily whether to include what is imported lazily; it follows the rest
 */
export function findLoadingChunks(
  early: EarlyLoading,
  graph: ChunkGraph,
  fileName: string,
  lazily = false,
): GraphChunk[] {
  return closure(graph, fileName, lazily).filter(
    (chunk) =>
      chunk.moduleIds.some(early.isSharedHandle) &&
      // Another plugin or a setting may have put the program's own modules into the chunk.
      closure(graph, chunk.fileName).every(({ moduleIds }) => moduleIds.every(early.isInternal)),
  );
}

/**
 * Small chunks that must be loaded before a lazily imported wasm file begins to load. If the page requests them
 * early, the wasm file is requested one round trip earlier.
 *
 * @param lazily whether to include the lazy imports of chunks that are imported lazily themselves
 */
export function findLazyChunks(
  early: EarlyLoading,
  graph: ChunkGraph,
  entry: string,
  lazily = false,
): GraphChunk[] {
  const present = new Set(closure(graph, entry));
  const found = new Set<GraphChunk>();
  for (const target of closure(graph, entry, lazily).flatMap(({ dynamicImports }) => dynamicImports)) {
    const loading = findLoadingChunks(early, graph, target).filter((chunk) => !present.has(chunk));
    const chunks = loading.flatMap(({ fileName }) => closure(graph, fileName));
    // The lazily imported chunk itself, if it holds nothing but generated code.
    const own = closure(graph, target).filter(
      ({ moduleIds }) => chunks.length > 0 && moduleIds.length > 0 && moduleIds.every(early.isGenerated),
    );
    for (const chunk of [...chunks, ...own]) found.add(chunk);
  }
  return [...found].filter((chunk) => !present.has(chunk));
}

/**
 * Changes a chunk so that a lazy import first runs the chunks that load wasm files for it. Chunks that the static
 * imports need have run before.
 *
 * @returns undefined if there is nothing to change
 */
export async function loadBeforeLazyImports(
  early: EarlyLoading,
  graph: ChunkGraph,
  code: string,
  { fileName }: GraphChunk,
): Promise<{ code: string; map: SourceMap } | undefined> {
  if (!code.includes('import(')) return undefined;
  const present = new Set(findLoadingChunks(early, graph, fileName));
  const folder = posix.dirname(fileName);
  await init();
  const text = new MagicString(code);
  const functions = new Map<string, string>();
  for (const { type, specifier, importStart, importEnd } of parse(code)[0]) {
    if (type !== 'dynamic' || specifier === undefined) continue;
    const target = posix.join(folder, specifier);
    const loading = findLoadingChunks(early, graph, target).filter((chunk) => !present.has(chunk));
    if (loading.length === 0) continue;
    const imports = loading.map(
      (chunk) => `import(${JSON.stringify(`./${posix.relative(folder, chunk.fileName)}`)}).catch(() => {});`,
    );
    const body = imports.join(' ');
    const name = functions.get(body) ?? `__wasmPrecompileStart${functions.size}`;
    functions.set(body, name);
    // A call, not a sequence in parentheses: after a line without a semicolon, parentheses would be arguments.
    text.appendLeft(importStart, `${name}(() => `).appendRight(importEnd, ')');
  }
  if (functions.size === 0) return undefined;
  // At the end of the chunk: Vite pairs each import before that with a list of files to preload for it.
  for (const [body, name] of functions) {
    text.append(`\nfunction ${name}(load) { ${body} return load(); }`);
  }
  return { code: text.toString(), map: text.generateMap({ hires: 'boundary' }) };
}

/** A chunk and everything that it imports statically; with `lazily`, then also everything that these import lazily. */
function closure(graph: ChunkGraph, fileName: string, lazily = false): GraphChunk[] {
  const chunks = new Map<string, GraphChunk>();
  const visit = (name: string) => {
    const chunk = graph[name];
    if (!chunk || !('moduleIds' in chunk) || chunks.has(name)) return;
    chunks.set(name, chunk);
    for (const imported of chunk.imports) visit(imported);
  };
  visit(fileName);
  // The loop also visits the chunks that are added while it runs.
  if (lazily) for (const { dynamicImports } of chunks.values()) dynamicImports.forEach(visit);
  return [...chunks.values()];
}
