/**
 * Generates the ES modules that replace imports of wasm files. Each function returns one piece of code, and its
 * template looks like that code.
 */
import { findBuiltins } from '../../wasm/binary/builtins.ts';
import { groupImports } from '../../wasm/binary/imports.ts';
import type { WasmInterface } from '../../wasm/binary/extern-types.ts';
import { isIdentifier } from './identifiers.ts';
import { manifestExpression } from './manifest-text.ts';
import type { ArtifactSource, FetchedSource, ModuleSource, Platform, SplitSource } from './module-source.ts';
import type { ImportForm } from '../requests/request.ts';

/** Forms whose code loads a module. */
type LoadingForm = Exclude<ImportForm, 'esm' | 'file'>;

type ArtifactRecompile = NonNullable<ArtifactSource['recompile']>;

/** Returns the runtime module that loads from a source. Artifacts are for Node only. */
function runtimeFor(platform: Platform, { kind }: ModuleSource): string {
  if (platform === 'browser') return 'wasm-precompile:runtime/browser/load';
  return kind === 'artifact' ? 'wasm-precompile:runtime/node/index' : 'wasm-precompile:runtime/node/plain';
}

/**
 * Generates the code for one form, for Node.
 *
 * @param resolveImport returns the request for a module that the wasm module imports
 */
export function generateNodeModule(
  form: ModuleForm,
  source: ModuleSource,
  wasmInterface: WasmInterface,
  resolveImport: (module: string) => string,
): string {
  const setUp = generateHandle(runtimeFor('node', source), source, form);
  const split = source.kind === 'artifact' && source.split !== undefined;
  return generateForm(form, 'node', setUp, wasmInterface, resolveImport, split);
}

/** Forms whose exports are a module, a function that instantiates it, or an instance. */
export type ModuleForm = Exclude<ImportForm, 'esm' | 'shared' | 'file'>;

/**
 * Generates the code for one form, for browsers: all forms of a file share one module handle.
 *
 * @param handleRequest the request for the shared module handle
 * @param split whether the module is split
 */
export function generateBrowserModule(
  form: ModuleForm,
  handleRequest: string,
  wasmInterface: WasmInterface,
  resolveImport: (module: string) => string,
  split: boolean,
): string {
  const handle = `import { handle } from ${JSON.stringify(handleRequest)};`;
  if (split && form === 'module') {
    return `${handle}
import { loadTransferable } from "wasm-precompile:runtime/browser/transfer";
export default await loadTransferable(handle);
`;
  }
  const setUp = `import { initializer } from "wasm-precompile:runtime/browser/load";
${split ? 'import { instantiate } from "wasm-precompile:runtime/shared/link";\n' : ''}${handle}`;
  return generateForm(form, 'browser', setUp, wasmInterface, resolveImport, split);
}

/**
 * Generates the module handle that all forms of a file share in a browser.
 *
 * @param early whether the module begins to load before the program uses it
 */
export function generateSharedHandle(source: ModuleSource, early: boolean): string {
  const setUp = generateHandle(runtimeFor('browser', source), source, 'shared');
  return early
    ? `import { startEarly } from "wasm-precompile:runtime/browser/load";
${setUp}
startEarly(handle);
export { handle };
`
    : `${setUp}
export { handle };
`;
}

function generateForm(
  form: ModuleForm,
  platform: Platform,
  setUp: string,
  { imports, exports }: WasmInterface,
  resolveImport: (module: string) => string,
  split: boolean,
): string {
  switch (form) {
    case 'init':
      return `${setUp}
export default /* @__PURE__ */ initializer(handle${split ? ', instantiate' : ''});
`;
    case 'module':
      // For Node without top-level await, which CommonJS output does not have.
      return `${setUp}
export default ${platform === 'node' ? 'handle.loadSync()' : 'await handle.load()'};
`;
    case 'instance':
      return `${setUp}
${generateInstance(imports, exports, resolveImport, split ? 'instantiate' : 'WebAssembly.instantiate')}`;
  }
}

/**
 * Generates the module that code imports which loads a wasm file at run time.
 *
 * @param url URL of the wasm file in the output, as an expression
 * @param runningFile URL of the running file, as an expression
 */
export function generateFileModule(url: string, runningFile = 'import.meta.url'): string {
  return `import { createFile } from "wasm-precompile:runtime/node/file";
export const file = /* @__PURE__ */ createFile(${url}, ${runningFile});
`;
}

/**
 * Generates the module that JavaScript imports by the ESM integration: the exports of the instance, with globals
 * unwrapped to their values (https://github.com/WebAssembly/esm-integration). Other wasm modules import the
 * instance's own module, which exports the globals as `WebAssembly.Global`.
 */
export function generateFacade(instanceRequest: string, { exports }: WasmInterface): string {
  const instance = JSON.stringify(instanceRequest);
  const globals = exports.filter(({ kind }) => kind === 'global');
  const lines = [`export * from ${instance};`];
  if (exports.some(({ name, kind }) => name === 'default' && kind !== 'global')) {
    lines.push(`export { default } from ${instance};`);
  }
  for (const [index, { name }] of globals.entries()) {
    lines.push(
      `import { ${exportName(name)} as global${index} } from ${instance};`,
      `let value${index};`,
      // Reading the value of a v128 global throws.
      `try { value${index} = global${index}.value; } catch {}`,
      `export { value${index} as ${exportName(name)} };`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function generateHandle(runtime: string, source: ModuleSource, form: LoadingForm): string {
  const from = JSON.stringify(runtime);
  if (source.kind === 'artifact') {
    const { imports, url, manifest, options } = generateArtifact(runtime, source, form);
    return `${imports}
const handle = /* @__PURE__ */ fromArtifact(${url}, ${manifest}, ${options}, addons);`;
  }
  switch (source.kind) {
    case 'file':
    case 'range':
    case 'inflate':
      return `import { ${FETCHERS[source.kind]}, initializer } from ${from};
const handle = /* @__PURE__ */ ${fetchExpression(source)};`;
    case 'split':
      return generateSplitHandle(from, source);
    case 'url-import':
      return `import { fromFile, initializer } from ${from};
import url from ${JSON.stringify(source.request)};
const handle = /* @__PURE__ */ fromFile(url, ${JSON.stringify(source.options)});`;
    case 'inline':
      return `import { fromBase64, initializer } from ${from};
const handle = /* @__PURE__ */ fromBase64(${JSON.stringify(source.base64)}, ${JSON.stringify(source.options)});`;
  }
}

const FETCHERS: Readonly<Record<FetchedSource['kind'], string>> = {
  file: 'fromFile',
  range: 'fromRange',
  inflate: 'fromCompressed',
};

/** @param request a variable of the generated code with further options for `fetch` */
function fetchExpression(source: FetchedSource, request?: string): string {
  const { kind, url } = source;
  const known = JSON.stringify(source.options);
  const options = request === undefined ? known : `{ ...${known}, ${request} }`;
  const place = kind === 'file' ? [] : [`[${source.range}]`];
  const plain = kind === 'inflate' ? [source.plain] : [];
  return `${FETCHERS[kind]}(${[url, ...place, ...plain, options].join(', ')})`;
}

function generateSplitHandle(from: string, { primary, secondaries, original, warn }: SplitSource): string {
  const verifies = secondaries.some(({ sha256 }) => sha256 !== undefined);
  const fetchers = new Set(
    [primary, original, ...secondaries.map(({ source }) => source)].map(({ kind }) => FETCHERS[kind]),
  );
  const entries = secondaries.map(({ source, sha256 }) => {
    const fields = [
      `load: (request) => ${fetchExpression(source, 'request')}`,
      `url: ${source.kind === 'inflate' ? source.plain : source.url}`,
      ...(source.kind === 'range' ? [`range: [${source.range}]`] : []),
      ...(sha256 === undefined ? [] : [`sha256: ${JSON.stringify(sha256)}`]),
    ];
    return `  { ${fields.join(', ')} },`;
  });
  const options = [...(verifies ? ['sha256'] : []), ...(warn ? ['warn: true'] : [])];
  return `import { ${[...fetchers].join(', ')} } from ${from};
import { fromSplit } from "wasm-precompile:runtime/browser/load-split";
${verifies ? 'import { sha256 } from "wasm-precompile:runtime/browser/sha256";\n' : ''}const handle = /* @__PURE__ */ fromSplit(${fetchExpression(primary)}, ${fetchExpression(original)}, [
${entries.join('\n')}
], { ${options.join(', ')} });`;
}

/** Generates the arguments of `fromArtifact`, and the statements that they need. */
function generateArtifact(
  runtime: string,
  { url, manifest, split, options, addons, recompile }: ArtifactSource,
  form: LoadingForm,
) {
  const binaries = addons.map(
    ([key, binary, checksum]) => `${JSON.stringify(key)}: [${binary}, ${checksum}]`,
  );
  return {
    imports: `import { fromArtifact, initializer } from ${JSON.stringify(runtime)};
import { checkCompatibility } from "wasm-precompile:runtime/node/compatibility";
${split ? `${importSplit(form)}\n` : ''}${recompile ? `${generateRecompile(recompile)}\n` : ''}const addons = { ${binaries.join(', ')} };`,
    url,
    manifest: manifestExpression(manifest, split?.manifestWidth),
    options: `{ ...${JSON.stringify(options)}, checkCompatibility${split ? ', split' : ''}${recompile ? ', recompile' : ''} }`,
  };
}

/** Imports what loads a split module. Generated code instantiates it, except in forms that export the module. */
function importSplit(form: LoadingForm): string {
  const names = form === 'module' ? 'loadSplitShared as split' : 'instantiate, loadSplit as split';
  return `import { ${names} } from "wasm-precompile:runtime/node/split/load-split";`;
}

function generateRecompile({ options, host, compiler }: ArtifactRecompile): string {
  return `import { createRecompile } from "wasm-precompile:runtime/node/recompile/recompile";
const recompile = /* @__PURE__ */ createRecompile({ ...${JSON.stringify(options)}, host: ${host}, compiler: ${compiler} });`;
}

function generateInstance(
  imports: WasmInterface['imports'],
  exports: WasmInterface['exports'],
  resolveImport: (module: string) => string,
  instantiate: string,
): string {
  const builtins = findBuiltins(imports);
  const importLines: string[] = [];
  const importObject: string[] = [];
  for (const [module, entries] of groupImports(builtins?.others ?? imports)) {
    const names = [...entries.keys()];
    // By name, so that bundlers report names that the imported module does not export.
    const first = importLines.length;
    const from = JSON.stringify(resolveImport(module));
    const fields = names.map((name, index) => `    [${JSON.stringify(name)}]: import${first + index},`);
    importLines.push(
      ...names.map((name, index) => `import { ${exportName(name)} as import${first + index} } from ${from};`),
    );
    importObject.push(`  [${JSON.stringify(module)}]: {\n${fields.join('\n')}\n  },`);
  }
  if (builtins && builtins.constants.length > 0) {
    // For engines without string constants; the others ignore this field.
    const fields = builtins.constants.map(
      (text) => `    [${JSON.stringify(text)}]: ${JSON.stringify(text)},`,
    );
    importObject.push(`  [${JSON.stringify(builtins.constantsModule)}]: {\n${fields.join('\n')}\n  },`);
  }
  const exportLines = exports.map(
    ({ name }, index) => `const export${index} = exports[${JSON.stringify(name)}];
export { export${index} as ${exportName(name)} };`,
  );
  return `${importLines.join('\n')}
const { exports } = await ${instantiate}(await handle.load(), {
${importObject.join('\n')}
});
${exportLines.join('\n')}
`;
}

/** A name in an import or export declaration: a string only if it must be one, since older engines accept none. */
function exportName(name: string): string {
  return isIdentifier(name) ? name : JSON.stringify(name);
}
