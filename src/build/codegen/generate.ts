/**
 * Glue code: the ES modules that stand for imports of wasm files. Each function returns one piece of code and
 * looks like it.
 */
import type { ArtifactManifest } from '../../runtime/shared/manifest.ts';
import type { CompileOptions } from '../../runtime/shared/module-handle.ts';
import type { ArtifactOptions } from '../../runtime/node/index.ts';
import { findBuiltins } from '../../wasm/binary/builtins.ts';
import type { ByteRange, FetchOptions } from '../../runtime/browser/load.ts';
import { groupImports } from '../../wasm/binary/imports.ts';
import type { WasmInterface } from '../../wasm/binary/types.ts';
import { isIdentifier } from './identifiers.ts';
import { manifestExpression } from './manifest-text.ts';
import type { ResolvedRecompile } from '../options/options.ts';
import type { ImportForm } from '../requests/request.ts';

export type Platform = 'node' | 'browser';

/** Where the glue code gets its module from. URLs are JavaScript expressions. */
export type ModuleSource =
  | {
      kind: 'artifact';
      url: string;
      manifest: ArtifactManifest;
      /** Where the module is split, or may be later: characters that its manifest takes then. */
      split: { mapWidth: number } | undefined;
      options: ArtifactOptions;
      /** As the runtime takes them, the URLs as expressions. */
      addons: [key: string, url: string, checksum: number][];
      /** Undefined where the option is off. The programs are URLs, as expressions. */
      recompile: { options: ResolvedRecompile; host: string; compiler: string } | undefined;
    }
  | FetchedSource
  /** A split module, for browsers: what a start loads, and what comes in later. */
  | {
      kind: 'parts';
      url: string;
      primary: FetchedSource;
      secondaries: SecondarySource[];
      /** The module as it was before it was split. */
      whole: FetchedSource;
      /** Whether calls that have to wait say so in the console. */
      warn: boolean;
    }
  /** A file that the bundler gives a URL to when it is imported by this request. */
  | { kind: 'url-import'; request: string; options: CompileOptions }
  | { kind: 'inline'; base64: string; options: CompileOptions };

/** What browsers load from one file. */
export type FetchedSource =
  | { kind: 'file'; url: string; options: FetchOptions }
  /** A part of an ELF file. */
  | { kind: 'range'; url: string; part: ByteRange; options: FetchOptions }
  /** The same, compressed; and the module as a file of its own. */
  | { kind: 'inflate'; url: string; part: ByteRange; plain: string; options: FetchOptions };

export interface SecondarySource {
  source: FetchedSource;
  /** In base64, where calls that cannot wait are to compare it. */
  sha256: string | undefined;
}

type ArtifactSource = Extract<ModuleSource, { kind: 'artifact' }>;

/** Forms whose code loads something. */
type ArtifactForm = Exclude<ImportForm, 'esm'>;

type ArtifactRecompile = NonNullable<ArtifactSource['recompile']>;

/** The runtime modules, by what runs them. Artifacts are for Node only. */
function runtimeFor(platform: Platform, { kind }: ModuleSource): string {
  if (platform === 'browser') return 'wasm-precompile:runtime/browser/load';
  return kind === 'artifact' ? 'wasm-precompile:runtime/node/index' : 'wasm-precompile:runtime/node/plain';
}

/** The glue code for one form, for Node. `wasmImports` are those module names that name wasm files. */
export function generateNodeModule(
  form: ModuleForm,
  source: ModuleSource,
  wasmInterface: WasmInterface,
  resolveImport: (module: string) => string,
): string {
  const setUp = generateLoader(runtimeFor('node', source), source, form);
  const split = source.kind === 'artifact' && source.split !== undefined;
  return generateForm(form, 'node', setUp, wasmInterface, resolveImport, split);
}

/** Forms that give a module or what is made of it. */
export type ModuleForm = Exclude<ImportForm, 'esm' | 'shared' | 'file'>;

/**
 * The glue code for one form, for browsers: all forms of a file share the loader.
 *
 * @param split whether the module is split
 */
export function generateBrowserModule(
  form: ModuleForm,
  loaderRequest: string,
  wasmInterface: WasmInterface,
  resolveImport: (module: string) => string,
  split: boolean,
): string {
  const loader = `import { loader } from ${JSON.stringify(loaderRequest)};`;
  if (split && form === 'module') {
    return `${loader}
import { loadTransferable } from "wasm-precompile:runtime/browser/transfer";
export default await loadTransferable(loader);
`;
  }
  const setUp = `import { initializer } from "wasm-precompile:runtime/browser/load";
${split ? 'import { instantiate } from "wasm-precompile:runtime/shared/link";\n' : ''}${loader}`;
  return generateForm(form, 'browser', setUp, wasmInterface, resolveImport, split);
}

/**
 * What all forms of a file share in a browser.
 *
 * @param early whether it begins to load before anybody asks
 */
export function generateSharedHandle(source: ModuleSource, early: boolean): string {
  const setUp = generateLoader(runtimeFor('browser', source), source, 'shared');
  return early
    ? `import { startEarly } from "wasm-precompile:runtime/browser/load";
${setUp}
startEarly(loader);
export { loader };
`
    : `${setUp}
export { loader };
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
export default /* @__PURE__ */ initializer(loader${split ? ', instantiate' : ''});
`;
    case 'module':
      // In Node without top-level await, so that it works in CommonJS output, too.
      return `${setUp}
export default ${platform === 'node' ? 'loader.loadSync()' : 'await loader.load()'};
`;
    case 'instance':
      return `${setUp}
${generateInstance(imports, exports, resolveImport, split ? 'instantiate' : 'WebAssembly.instantiate')}`;
  }
}

/**
 * The module that stands for a wasm file in code that loads it by itself.
 *
 * @param url of the plain file, as an expression
 * @param runningFile the URL of what runs, as an expression
 */
export function generateFileModule(
  url: string,
  artifact: ArtifactSource | undefined,
  runningFile = 'import.meta.url',
): string {
  const register = 'import { register } from "wasm-precompile:runtime/node/recognise";';
  if (!artifact) {
    return `${register}
export const file = /* @__PURE__ */ register(${url}, ${runningFile});
`;
  }
  const {
    imports,
    url: artifactUrl,
    manifest,
    options,
  } = generateArtifact('wasm-precompile:runtime/node/index', artifact, 'file');
  return `${register}
${imports}
const manifest = ${manifest};
const options = ${options};
export const file = /* @__PURE__ */ register(${url}, ${runningFile}, {
  url: ${artifactUrl}, manifest, options, open: () => fromArtifact(${artifactUrl}, manifest, options, addons),${artifact.split ? ' matchesOriginal, intercept,' : ''}
});
`;
}

/**
 * The module that JavaScript sees for the ESM integration: the exports of the instance, with globals unwrapped
 * to their values (https://github.com/WebAssembly/esm-integration). They stay `WebAssembly.Global` in the
 * instance's own module, which is what other wasm modules import.
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
      // The value of a v128 global cannot be read.
      `try { value${index} = global${index}.value; } catch {}`,
      `export { value${index} as ${exportName(name)} };`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function generateLoader(runtime: string, source: ModuleSource, form: ArtifactForm): string {
  const from = JSON.stringify(runtime);
  if (source.kind === 'artifact') {
    const { imports, url, manifest, options } = generateArtifact(runtime, source, form);
    return `${imports}
const loader = /* @__PURE__ */ fromArtifact(${url}, ${manifest}, ${options}, addons);`;
  }
  switch (source.kind) {
    case 'file':
    case 'range':
    case 'inflate':
      return `import { ${FETCHERS[source.kind]}, initializer } from ${from};
const loader = /* @__PURE__ */ ${fetchExpression(source)};`;
    case 'parts':
      return generateParts(from, source);
    case 'url-import':
      return `import { fromFile, initializer } from ${from};
import url from ${JSON.stringify(source.request)};
const loader = /* @__PURE__ */ fromFile(url, ${JSON.stringify(source.options)});`;
    case 'inline':
      return `import { fromBase64, initializer } from ${from};
const loader = /* @__PURE__ */ fromBase64(${JSON.stringify(source.base64)}, ${JSON.stringify(source.options)});`;
  }
}

const FETCHERS: Readonly<Record<FetchedSource['kind'], string>> = {
  file: 'fromFile',
  range: 'fromRange',
  inflate: 'fromCompressed',
};

/** @param request the expression for what else `fetch` is told */
function fetchExpression(source: FetchedSource, request?: string): string {
  const { kind, url } = source;
  const known = JSON.stringify(source.options);
  const options = request === undefined ? known : `{ ...${known}, ${request} }`;
  const place = kind === 'file' ? [] : [`[${source.part}]`];
  const plain = kind === 'inflate' ? [source.plain] : [];
  return `${FETCHERS[kind]}(${[url, ...place, ...plain, options].join(', ')})`;
}

function generateParts(
  from: string,
  { primary, secondaries, whole, warn }: Extract<ModuleSource, { kind: 'parts' }>,
): string {
  const verifies = secondaries.some(({ sha256 }) => sha256 !== undefined);
  const fetchers = new Set(
    [primary, whole, ...secondaries.map(({ source }) => source)].map(({ kind }) => FETCHERS[kind]),
  );
  const parts = secondaries.map(({ source, sha256 }) => {
    const fields = [
      `load: (request) => ${fetchExpression(source, 'request')}`,
      `url: ${source.kind === 'inflate' ? source.plain : source.url}`,
      ...(source.kind === 'range' ? [`part: [${source.part}]`] : []),
      ...(sha256 === undefined ? [] : [`sha256: ${JSON.stringify(sha256)}`]),
    ];
    return `  { ${fields.join(', ')} },`;
  });
  const options = [...(verifies ? ['sha256'] : []), ...(warn ? ['warn: true'] : [])];
  return `import { ${[...fetchers].join(', ')} } from ${from};
import { fromSplit } from "wasm-precompile:runtime/browser/split";
${verifies ? 'import { sha256 } from "wasm-precompile:runtime/browser/sha256";\n' : ''}const loader = /* @__PURE__ */ fromSplit(${fetchExpression(primary)}, ${fetchExpression(whole)}, [
${parts.join('\n')}
], { ${options.join(', ')} });`;
}

/** What `fromArtifact` takes, as expressions, and the statements that they need. */
function generateArtifact(
  runtime: string,
  { url, manifest, split, options, addons, recompile }: ArtifactSource,
  form: ArtifactForm,
) {
  const binaries = addons.map(
    ([key, binary, checksum]) => `${JSON.stringify(key)}: [${binary}, ${checksum}]`,
  );
  return {
    imports: `import { fromArtifact, initializer } from ${JSON.stringify(runtime)};
import { checkCompatibility } from "wasm-precompile:runtime/node/compatibility";
${split ? `${generateSplit(form)}\n` : ''}${recompile ? `${generateRecompile(recompile)}\n` : ''}const addons = { ${binaries.join(', ')} };`,
    url,
    manifest: manifestExpression(manifest, split?.mapWidth),
    options: `{ ...${JSON.stringify(options)}, checkCompatibility${split ? ', split' : ''}${recompile ? ', recompile' : ''} }`,
  };
}

/** Instances of the module are made by the glue code, or by whoever gets it. */
function generateSplit(form: ArtifactForm): string {
  const others = 'loadSplitShared as split';
  const names =
    form === 'module'
      ? others
      : form === 'file'
        ? `intercept, matchesOriginal, ${others}`
        : 'instantiate, loadSplit as split';
  return `import { ${names} } from "wasm-precompile:runtime/node/split/load";`;
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
    // By name, so that bundlers tell where a module does not have what is imported.
    const start = importLines.length;
    const from = JSON.stringify(resolveImport(module));
    const fields = names.map((name, index) => `    [${JSON.stringify(name)}]: import${start + index},`);
    importLines.push(
      ...names.map((name, index) => `import { ${exportName(name)} as import${start + index} } from ${from};`),
    );
    importObject.push(`  [${JSON.stringify(module)}]: {\n${fields.join('\n')}\n  },`);
  }
  if (builtins && builtins.constants.length > 0) {
    // For engines that know no string constants; the others do not look here.
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
const { exports } = await ${instantiate}(await loader.load(), {
${importObject.join('\n')}
});
${exportLines.join('\n')}
`;
}

/** As import declarations have it: as a string only where it must be one, since older targets know no strings there. */
function exportName(name: string): string {
  return isIdentifier(name) ? name : JSON.stringify(name);
}
