/**
 * Rewrites JavaScript modules that load wasm files themselves: file names become those in the output. The register
 * file recognises the modules. Code that names no file stays unchanged.
 *
 * Also rewrites modules that obtain a wasm module dynamically. It may be split, so its runtime must intercept the
 * functions that create instances. `WebAssembly.instantiate(await import.source('./x.wasm'))` reads `instantiate`
 * before the module and its runtime are loaded, so the rewritten code intercepts the functions first.
 */
import { dirname, isAbsolute, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Program } from 'estree';
import { MagicString, type SourceMap } from 'magic-string';
import type { BundlerContext } from '../bundler-context.ts';
import { findRuntimeLoading, type RuntimeLoading, type Reference } from './find-runtime-loading.ts';
import { formatRequest } from '../requests/request.ts';
import { resolveFile } from '../requests/resolve-file.ts';

/** Matches the ids of modules to scan. */
export const SCRIPT_ID = /^[^\0?]+\.(?:[cm]?[jt]sx?|vue|svelte|astro)(?:\?.*)?$/;

/** What the rewriting needs from the bundler besides its context. */
export interface ScriptHost {
  /** @throws if the code cannot be parsed */
  parse: (code: string) => Program | Promise<Program>;
  /** Whether the bundler handles CommonJS itself, so that the plugin receives unconverted CommonJS modules. */
  commonJs: boolean;
  /** Whether the output has `import.meta`. Default: true. */
  hasImportMeta?: boolean;
  /** Whether Node's built-in modules exist in the environment that runs the output. */
  hasNode: boolean;
}

interface RewriteSetup extends ScriptHost {
  /** Whether to rewrite runtime loading: the option `detect`. */
  detect: boolean;
  /** Whether to rewrite code that obtains modules dynamically. */
  dynamic: boolean;
  /** Whether the plugin handles a wasm file. */
  isHandled: (file: string) => boolean;
  /** Called with each wasm file that the code loads. */
  found: (file: string) => void;
}

export interface RewrittenScript {
  code: string;
  map: SourceMap;
}

/** @returns undefined if nothing changes */
export async function rewriteRuntimeLoading(
  context: BundlerContext,
  code: string,
  id: string,
  setup: RewriteSetup,
): Promise<RewrittenScript | undefined> {
  const file = id.replace(/\?.*$/, '');
  if (!isAbsolute(file)) return undefined;
  const loading = await find(setup, code);
  if (!loading) return undefined;
  const text = new MagicString(code);
  if (setup.detect) {
    const references = await resolveReferences(context, withoutNested(loading.references), file, setup);
    if (references.length > 0 || loading.typeTests.length > 0) rewrite(text, loading, references, setup);
  }
  if (setup.dynamic && (await obtainsHandled(context, loading.dynamic, file, setup)))
    interceptFirst(text, loading, setup);
  if (!text.hasChanged()) return undefined;
  return { code: text.toString(), map: text.generateMap({ source: id, hires: 'boundary' }) };
}

async function find({ parse }: ScriptHost, code: string): Promise<RuntimeLoading | undefined> {
  try {
    return findRuntimeLoading(await parse(code));
  } catch {
    // The bundler reports syntax errors itself, with more detail.
    return undefined;
  }
}

/** What is inside of a reference that is replaced as a whole disappears with it. */
function withoutNested(references: readonly Reference[]): Reference[] {
  return references.filter(
    ({ start, end }) =>
      !references.some(
        (outer) =>
          outer.kind !== 'text' &&
          outer.start <= start &&
          end <= outer.end &&
          outer.end - outer.start > end - start,
      ),
  );
}

interface Resolved extends Reference {
  /** Absolute path. */
  file: string;
}

async function resolveReferences(
  context: BundlerContext,
  references: readonly Reference[],
  importer: string,
  { isHandled, found }: RewriteSetup,
): Promise<Resolved[]> {
  const resolved: Resolved[] = [];
  for (const reference of references) {
    // Mostly one or two references.
    // oxlint-disable-next-line no-await-in-loop
    const file = (await resolveReference(context, reference, importer))?.replaceAll('\\', '/');
    if (file === undefined || !isHandled(file)) continue;
    found(file);
    resolved.push({ ...reference, file });
  }
  return resolved;
}

async function resolveReference(
  context: BundlerContext,
  { kind, specifier }: Reference,
  importer: string,
): Promise<string | undefined> {
  switch (kind) {
    case 'url': {
      const url = new URL(specifier, pathToFileURL(importer));
      return url.protocol === 'file:' ? fileURLToPath(url) : undefined;
    }
    case 'resolve':
      return resolveFile(context, specifier, importer);
    case 'text':
      return resolve(dirname(importer), specifier);
  }
}

function rewrite(
  text: MagicString,
  loading: RuntimeLoading,
  references: readonly Resolved[],
  { commonJs: knowsCommonJs, hasImportMeta = true }: ScriptHost,
): void {
  for (const { start, name } of loading.typeTests) text.appendLeft(start, `${isNeitherFetchClass(name)} && `);
  const [first] = references;
  if (!first) return;
  const files = [...new Set(references.map(({ file }) => file))];
  const prefix = freeName(text.original, '$wasmPrecompile');
  const nameOf = (file: string) => `${prefix}${files.indexOf(file)}`;
  const any = nameOf(first.file);
  // An inserted import would turn a CommonJS module into an ES module.
  const commonJs = knowsCommonJs && !loading.esm;
  // Some output formats have no `import.meta`, unless the user has replaced it in the source.
  const isUrlKnown = !commonJs && (hasImportMeta || text.original.includes('import.meta'));
  const url = isUrlKnown ? 'import.meta.url' : `${any}.base`;

  for (const { start, end } of loading.fetches) text.overwrite(start, end, `${any}.fetch`);
  // ES modules have no `__dirname`, but code that was converted from CommonJS may read it.
  const folder = `(typeof __dirname === "undefined" ? ${any}.dirname(${url}) : __dirname)`;
  // An ES module that reads `__dirname` may resolve files against either.
  const places = commonJs ? [folder] : loading.folders.length > 0 ? [url, folder] : [url];
  for (const { start, end, shorthand } of loading.folders) {
    text.overwrite(start, end, shorthand ? `__dirname: ${folder}` : folder);
  }
  // `return"./x.wasm"`: a name that follows a keyword needs a space.
  const gap = (at: number) => (/[\w$\u0080-\uFFFF]/.test(text.original[at - 1] ?? '') ? ' ' : '');
  for (const { kind, start, end, file, specifier, gives = 'url' } of references) {
    if (kind === 'url') text.overwrite(start, end, `${nameOf(file)}.url`);
    else if (kind === 'resolve') {
      text.overwrite(start, end, `${gap(start)}${nameOf(file)}.${resolvedBy(specifier, gives)}`);
    } else {
      text.appendLeft(start, `${gap(start)}${`${nameOf(file)}.locate(`.repeat(places.length)}`);
      for (const place of places) text.appendLeft(end, `, ${place}, ${JSON.stringify(specifier)})`);
    }
  }
  const statements = files.map((file) => {
    const from = JSON.stringify(formatRequest({ file, form: 'file' }));
    return commonJs
      ? `const ${nameOf(file)} = require(${from}).file;`
      : `import { file as ${nameOf(file)} } from ${from};`;
  });
  // Before what is inserted at the same place: the first statement may begin with a reference.
  text.prependLeft(loading.top, `\n${statements.join(' ')}\n`);
}

/** A file of a package may be installed beside the output, with its neighbours. */
function resolvedBy(specifier: string, gives: 'path' | 'url'): string {
  if (/^(\.|\/|file:)/.test(specifier)) return gives;
  return `${gives === 'url' ? 'resolveUrl' : 'resolve'}(${JSON.stringify(specifier)})`;
}

/** Whether the plugin handles one of the dynamically obtained modules. */
async function obtainsHandled(
  context: BundlerContext,
  dynamic: readonly string[],
  importer: string,
  { isHandled }: RewriteSetup,
): Promise<boolean> {
  const files = await Promise.all(dynamic.map((specifier) => resolveFile(context, specifier, importer)));
  return files.some((file) => file !== undefined && isHandled(file.replaceAll('\\', '/')));
}

/** Inserts a call, because bundlers may drop a module that is imported only for its side effects. */
function interceptFirst(text: MagicString, loading: RuntimeLoading, { commonJs }: ScriptHost): void {
  const link = '"wasm-precompile:runtime/shared/link"';
  const name = freeName(text.original, '$wasmPrecompileIntercept');
  // Modules without imports and exports may be of either kind; most of those with dynamic imports are ES modules.
  const isCommonJs = commonJs && !loading.esm && /\b(?:require|module|exports)\b/.test(text.original);
  text.prependLeft(
    loading.top,
    isCommonJs
      ? `\nrequire(${link}).intercept();\n`
      : `\nimport { intercept as ${name} } from ${link};\n${name}();\n`,
  );
}

/** Returns a condition that skips the original type test for the classes that runtime loading mostly receives. */
function isNeitherFetchClass(name: string): string {
  const classTests = ['WebAssembly.Module', 'Promise', 'ArrayBuffer'].map(
    (own) => `${name} instanceof ${own}`,
  );
  return `!(${classTests.join(' || ')} || ArrayBuffer.isView(${name}))`;
}

function freeName(code: string, wanted: string): string {
  let name = wanted;
  while (code.includes(name)) name += '_';
  return name;
}
