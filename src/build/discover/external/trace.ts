/**
 * Wasm files of packages outside the bundle that the code of these packages names: what a program may compile
 * at runtime.
 */
import { readFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { type ExternalImport, findWasmPackages, packageName, type WasmPackage } from './packages.ts';

/** A wasm file with what loads it. */
export interface ExternalWasm {
  /** Absolute path. */
  file: string;
  package: WasmPackage;
  /** A script that names the file: a path from `node_modules` on, for messages. */
  script: string;
}

export interface ExternalTrace {
  files: ExternalWasm[];
  /** Packages whose wasm files no traced script names. */
  unnamed: WasmPackage[];
}

/** Scripts that name no file of the disk: what the output imports, as `import` and as `require`. */
const ENTRIES = ['wasm-precompile-imports.mjs', 'wasm-precompile-imports.cjs'] as const;

const SCRIPT = /\.[cm]?js$/;

/** Frameworks that load wasm files of their own for their tools. Tracing one takes seconds. */
const FRAMEWORKS = new Set<string | undefined>(['next']);

/** @param all the imports that the bundler left in the output */
export async function traceExternalWasm(all: readonly ExternalImport[]): Promise<ExternalTrace> {
  const imports = all.filter(({ specifier }) => !FRAMEWORKS.has(packageName(specifier)));
  const packages = await findWasmPackages(imports);
  if (packages.length === 0) return { files: [], unnamed: [] };
  const traced = await trace(imports);
  const files: ExternalWasm[] = [];
  const unnamed: WasmPackage[] = [];
  for (const each of packages) {
    // oxlint-disable-next-line no-await-in-loop
    const named = await findNamed(each, traced);
    if (named.length > 0) files.push(...named);
    else if (traced.some((file) => isIn(file, each.folder))) unnamed.push(each);
  }
  return { files, unnamed };
}

/** Returns all files that the imports lead to, as absolute paths. */
async function trace(imports: readonly ExternalImport[]): Promise<string[]> {
  // Most builds have no wasm outside the bundle, and loading this library takes 100 ms.
  const { nodeFileTrace } = await import('@vercel/nft');
  const texts = new Map<string, string>();
  for (const folder of new Set(imports.map((each) => each.folder))) {
    const specifiers = imports
      .filter((each) => each.folder === folder)
      .map(({ specifier }) => JSON.stringify(specifier));
    const [esm, cjs] = ENTRIES.map((name) => join(folder, name));
    if (esm) texts.set(esm, specifiers.map((specifier) => `import ${specifier};`).join('\n'));
    if (cjs) texts.set(cjs, specifiers.map((specifier) => `require(${specifier});`).join('\n'));
  }
  const base = resolve('/');
  const { fileList } = await nodeFileTrace([...texts.keys()], {
    base,
    processCwd: process.cwd(),
    readFile: async (path) => texts.get(path) ?? readFile(path).catch(() => null),
  });
  return [...fileList].map((file) => join(base, file)).filter((file) => !texts.has(file));
}

async function findNamed(wasmPackage: WasmPackage, traced: readonly string[]): Promise<ExternalWasm[]> {
  const { folder, wasmFiles } = wasmPackage;
  const scripts = traced.filter((file) => SCRIPT.test(file) && isIn(file, folder));
  const left = new Set(wasmFiles);
  const found: ExternalWasm[] = [];
  for (const script of scripts) {
    if (left.size === 0) break;
    // One after another: a package may have thousands of scripts.
    // oxlint-disable-next-line no-await-in-loop
    const text = await readFile(script, 'utf8').catch(() => '');
    if (!text.includes('.wasm')) continue;
    const named = [...left].filter((file) => names(text, basename(file)));
    for (const file of nearest(named, script)) {
      left.delete(file);
      found.push({ file, package: wasmPackage, script: describe(script) });
    }
  }
  for (const file of left) {
    if (traced.includes(file)) found.push({ file, package: wasmPackage, script: describe(file) });
  }
  return found;
}

/** A package may have a file twice, such as one for debugging. Those beside the script count, if there are any. */
function nearest(files: readonly string[], script: string): readonly string[] {
  const beside = files.filter((file) => dirname(file) === dirname(script));
  const found = new Set(beside.map((file) => basename(file)));
  return [...beside, ...files.filter((file) => !found.has(basename(file)))];
}

/** Whether a text has a file's name as a whole: `a.wasm` is not in `data.wasm`. */
function names(text: string, name: string): boolean {
  for (let at = text.indexOf(name); at !== -1; at = text.indexOf(name, at + 1)) {
    if (!/[\w.-]/.test(text[at - 1] ?? '') && !/\w/.test(text[at + name.length] ?? '')) return true;
  }
  return false;
}

function isIn(file: string, folder: string): boolean {
  return file.startsWith(folder + sep);
}

function describe(file: string): string {
  const [, inPackage] = /^.*[\\/]node_modules[\\/](.+)$/.exec(file) ?? [];
  return (inPackage ?? relative(process.cwd(), file)).replaceAll('\\', '/');
}
