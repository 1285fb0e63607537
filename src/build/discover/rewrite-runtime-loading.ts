/**
 * Changes JavaScript modules that load wasm files by themselves: names of files become those in the output, and what any module
 * asks of `WebAssembly` goes through `runtime/node/recognise.ts` where that has something to say. What is not recognised stays as it is.
 *
 * And those that get a wasm module late, which may be split: whoever makes instances must find functions that make them whole, also in
 * `WebAssembly.instantiate(await import.source('./x.wasm'))`, which JavaScript looks up before the module and its runtime are there.
 */
import { dirname, isAbsolute, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Program } from 'estree';
import { MagicString, type SourceMap } from 'magic-string';
import type { BundlerContext } from '../bundler-context.ts';
import { findRuntimeLoading, type RuntimeLoading, type Reference } from './find-runtime-loading.ts';
import { formatRequest } from '../requests/request.ts';
import { resolveFile } from '../requests/resolve-file.ts';

/** What `runtime/node/recognise.ts` has put there. */
const REGISTERED = 'globalThis[Symbol.for("wasm-precompile.glue")]';

/** Ids of modules that are looked at. */
export const SCRIPT_ID = /^[^\0?]+\.(?:[cm]?[jt]sx?|vue|svelte|astro)(?:\?.*)?$/;

/** What is asked of the bundler besides its context. */
export interface ScriptHost {
  /** Fails where the code cannot be parsed. */
  parse: (code: string) => Program | Promise<Program>;
  /** Whether the bundler knows CommonJS itself: its modules come here as they are. */
  commonJs: boolean;
  /** Whether the output has `import.meta`. Default: true. */
  hasImportMeta?: boolean;
  /** Whether what runs the output has Node's modules. */
  hasNode: boolean;
}

interface GlueSetup extends ScriptHost {
  /** Whether code is changed that loads files by itself. */
  glue: boolean;
  /** Whether code is changed that gets modules late. */
  late: boolean;
  /** Whether a wasm file is handled. */
  isOurs: (file: string) => boolean;
  /** Told of each wasm file that was found. */
  found: (file: string) => void;
}

export interface RewrittenScript {
  code: string;
  map: SourceMap;
}

/** @returns undefined where there is nothing to change */
export async function rewriteRuntimeLoading(
  context: BundlerContext,
  code: string,
  id: string,
  setup: GlueSetup,
): Promise<RewrittenScript | undefined> {
  const file = id.replace(/\?.*$/, '');
  if (!isAbsolute(file)) return undefined;
  const glue = await find(setup, code);
  if (!glue) return undefined;
  const text = new MagicString(code);
  if (setup.glue) {
    const references = await resolveReferences(context, glue.references, file, setup);
    if (references.length > 0 || glue.uses.length > 0) rewrite(text, glue, references, setup);
  }
  if (setup.late && (await getsOurs(context, glue.late, file, setup))) interceptFirst(text, glue, setup);
  if (!text.hasChanged()) return undefined;
  return { code: text.toString(), map: text.generateMap({ source: id, hires: 'boundary' }) };
}

async function find({ parse }: ScriptHost, code: string): Promise<RuntimeLoading | undefined> {
  try {
    return findRuntimeLoading(await parse(code));
  } catch {
    // The bundler will say it better.
    return undefined;
  }
}

interface Resolved extends Reference {
  /** Absolute path. */
  file: string;
}

async function resolveReferences(
  context: BundlerContext,
  references: readonly Reference[],
  importer: string,
  { isOurs, found }: GlueSetup,
): Promise<Resolved[]> {
  const resolved: Resolved[] = [];
  for (const reference of references) {
    // Mostly one or two.
    // oxlint-disable-next-line no-await-in-loop
    const file = (await resolveReference(context, reference, importer))?.replaceAll('\\', '/');
    if (file === undefined || !isOurs(file)) continue;
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
  glue: RuntimeLoading,
  references: readonly Resolved[],
  { commonJs: knowsCommonJs, hasImportMeta = true }: ScriptHost,
): void {
  for (const { start, end } of glue.uses) {
    // Where nothing was registered, or where this is not Node, it is what it was.
    text.overwrite(start, end, `(${REGISTERED} ?? ${text.slice(start, end)})`);
  }
  for (const { start, name } of glue.questions) text.appendLeft(start, `${isOtherwise(name)} && `);
  const [first] = references;
  if (!first) return;
  const files = [...new Set(references.map(({ file }) => file))];
  const prefix = freeName(text.original, '$wasmPrecompile');
  const nameOf = (file: string) => `${prefix}${files.indexOf(file)}`;
  const any = nameOf(first.file);
  // Such a module must not become an ES module.
  const commonJs = knowsCommonJs && !glue.esm;
  // Not where the output has none, unless the user has put something in its place.
  const isUrlKnown = !commonJs && (hasImportMeta || text.original.includes('import.meta'));
  const url = isUrlKnown ? 'import.meta.url' : `${any}.base`;

  for (const { start, end } of glue.fetches) text.overwrite(start, end, `${any}.fetch`);
  // ES modules have none; code that was CommonJS before relies on it.
  const folder = `(typeof __dirname === "undefined" ? ${any}.dirname(${url}) : __dirname)`;
  // What asks for `__dirname` in an ES module may ask for both.
  const places = commonJs ? [folder] : glue.folders.length > 0 ? [url, folder] : [url];
  for (const { start, end, shorthand } of glue.folders) {
    text.overwrite(start, end, shorthand ? `__dirname: ${folder}` : folder);
  }
  for (const { kind, start, end, file, specifier, gives = 'url' } of references) {
    if (kind === 'url') text.overwrite(start, end, `${nameOf(file)}.url`);
    else if (kind === 'resolve') text.overwrite(start, end, `${nameOf(file)}.${gives}`);
    else {
      text.appendLeft(start, `${nameOf(file)}.locate(`.repeat(places.length));
      for (const place of places) text.appendLeft(end, `, ${place}, ${JSON.stringify(specifier)})`);
    }
  }
  const statements = files.map((file) => {
    const from = JSON.stringify(formatRequest({ file, form: 'file' }));
    return commonJs
      ? `const ${nameOf(file)} = require(${from}).file;`
      : `import { file as ${nameOf(file)} } from ${from};`;
  });
  text.appendLeft(glue.top, `\n${statements.join(' ')}\n`);
}

/** Whether one of the modules that come late is handled. */
async function getsOurs(
  context: BundlerContext,
  late: readonly string[],
  importer: string,
  { isOurs }: GlueSetup,
): Promise<boolean> {
  const files = await Promise.all(late.map((specifier) => resolveFile(context, specifier, importer)));
  return files.some((file) => file !== undefined && isOurs(file.replaceAll('\\', '/')));
}

/** A call, not a module that is only run: bundlers leave those out where nothing of them is used. */
function interceptFirst(text: MagicString, glue: RuntimeLoading, { commonJs }: ScriptHost): void {
  const link = '"wasm-precompile:runtime/shared/link"';
  const name = freeName(text.original, '$wasmPrecompileIntercept');
  // Modules without imports and exports may be either; those that come late are mostly imported.
  const isCommonJs = commonJs && !glue.esm && /\b(?:require|module|exports)\b/.test(text.original);
  text.appendLeft(
    glue.top,
    isCommonJs
      ? `\nrequire(${link}).intercept();\n`
      : `\nimport { intercept as ${name} } from ${link};\n${name}();\n`,
  );
}

/** That a variable holds none of what glue code is mostly given: then it may be anything, as before. */
function isOtherwise(name: string): string {
  const isOwn = ['WebAssembly.Module', 'Promise', 'ArrayBuffer'].map((own) => `${name} instanceof ${own}`);
  return `!(${isOwn.join(' || ')} || ArrayBuffer.isView(${name}))`;
}

function freeName(code: string, wanted: string): string {
  let name = wanted;
  while (code.includes(name)) name += '_';
  return name;
}
