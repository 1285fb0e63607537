/** TypeScript declarations of a wasm file: what the import forms give, with exact types. */
import { findBuiltins } from '../../wasm/binary/builtins.ts';
import { groupImports } from '../../wasm/binary/imports.ts';
import { formatExternType } from '../../wasm/binary/text-format.ts';
import type {
  AbstractHeapType,
  Extern,
  FunctionType,
  GlobalType,
  ReferenceType,
  ValueType,
  WasmExport,
  WasmImport,
  WasmInterface,
} from '../../wasm/binary/types.ts';
import { isBindingName, isIdentifier } from '../codegen/identifiers.ts';

/** How declarations that are ours begin. */
export const HEADER = '// Made by unplugin-wasm-precompile';

/**
 * The module that TypeScript finds for an import without a query: the exports, and the types `Imports`, `Exports` and
 * `Instance`.
 *
 * @param file base name of the wasm file
 */
export function generateModuleDeclaration(file: string, wasmInterface: WasmInterface): string {
  const { exports } = wasmInterface;
  const imports = findBuiltins(wasmInterface.imports)?.others ?? wasmInterface.imports;
  return `${header(file)}
${exports.map((entry, index) => declareExport(entry, localName(entry, index, exports))).join('\n')}
/** What the module has to be given. */
export type Imports = ${imports.length === 0 ? 'WebAssembly.Imports' : importsType(imports)};

/** What an instance exports: globals are objects here. */
export type Exports = ${exportsType(exports)};

export interface Instance {
  readonly exports: Exports;
}

export {};
`;
}

/**
 * Where imports that an ambient declaration stands for may start: with a dot, or as aliases and packages do.
 * TypeScript prefers the longest start, so that these win over `*.wasm?init`, wherever that is declared.
 */
const STARTS = ['.', '@', '~', '#', '$'];

/**
 * The ambient declarations of the form `?init`, which no file can be found for. TypeScript merges those of files that have
 * one name, as overloads.
 *
 * @param file base name of the wasm file
 * @param types how to import the other file of declarations from here
 */
export function generateInitDeclaration(file: string, types: string, { imports }: WasmInterface): string {
  const from = `import(${JSON.stringify(types)})`;
  const none = (findBuiltins(imports)?.others ?? imports).length === 0;
  const instance = `Promise<${from}.Instance>`;
  const signatures = none
    ? [`init(imports?: WebAssembly.Imports): ${instance}`]
    : [
        `init(imports: ${from}.Imports): ${instance}`,
        // What glue code hands over has no names in its type.
        `init<T>(imports: string extends keyof T ? T : never): ${instance}`,
      ];
  const modules = STARTS.map(
    (start) => `
declare module ${JSON.stringify(`${start}*/${file}?init`)} {
${signatures.map((signature) => `  export default function ${signature};`).join('\n')}
}
`,
  );
  return `${header(file)}${modules.join('')}`;
}

function header(file: string): string {
  return `${HEADER} from ${file.replaceAll(/\s/g, ' ')}, and written anew when that changes.
/* eslint-disable */
`;
}

function declareExport(entry: WasmExport, local: string): string {
  const isDeclared = local === entry.name;
  const start = isDeclared ? 'export' : 'declare';
  return `${comment(entry)}
${start} ${declaration(entry, local)};
${isDeclared ? '' : `export { ${local} as ${propertyName(entry.name)} };\n`}`;
}

function declaration(entry: Extern, name: string): string {
  if (entry.kind === 'function') {
    return `function ${name}(${parameters(entry.type)}): ${resultType(entry.type)}`;
  }
  if (entry.kind !== 'global') return `const ${name}: ${externType(entry)}`;
  // JavaScript cannot read a vector.
  const type = entry.type.value === 'v128' ? 'undefined' : valueType(entry.type.value);
  return `${entry.type.mutable ? 'let' : 'const'} ${name}: ${type}`;
}

/** What an export is declared as: its name, where that can be declared. */
function localName({ name }: WasmExport, index: number, exports: readonly WasmExport[]): string {
  if (isBindingName(name)) return name;
  let local = `export${index}`;
  while (exports.some((other) => other.name === local)) local += '_';
  return local;
}

function exportsType(exports: readonly WasmExport[]): string {
  const fields = exports.map(
    (entry) => `${comment(entry, '  ')}
  readonly ${propertyName(entry.name)}: ${exportType(entry)};`,
  );
  return fields.length === 0 ? '{}' : `{\n${fields.join('\n')}\n}`;
}

function importsType(imports: readonly WasmImport[]): string {
  const modules = [...groupImports(imports)].map(([module, names]) => {
    const fields = [...names].map(([name, entries]) => {
      const types = entries.map(importType);
      const type = types.length === 1 ? types[0] : types.map((each) => `(${each})`).join(' & ');
      return `${entries.map((entry) => comment(entry, '    ')).join('\n')}
    ${propertyName(name)}: ${type};`;
    });
    return `  ${propertyName(module)}: {
${fields.join('\n')}
  };`;
  });
  return `{\n${modules.join('\n')}\n}`;
}

function comment(entry: Extern, indent = ''): string {
  return `${indent}/** \`${formatExternType(entry)}\` */`;
}

function exportType(entry: Extern): string {
  // Not the `object` that it is, which `WebAssembly.Exports` does not take.
  return entry.kind === 'tag' ? 'any' : externType(entry);
}

function importType(entry: Extern): string {
  if (entry.kind === 'function') {
    const { params, results } = entry.type;
    // A function of JavaScript's cannot be called with such values: only another module's can.
    if ([...params, ...results].some((value) => valueType(value) === 'never')) return 'Function';
    return functionType(entry.type, 'readonly ');
  }
  if (entry.kind !== 'global' || entry.type.mutable || entry.type.value === 'v128') return externType(entry);
  return `${valueType(entry.type.value)} | ${globalType(entry.type)}`;
}

function externType(entry: Extern): string {
  switch (entry.kind) {
    case 'function':
      return functionType(entry.type);
    case 'table':
      return 'WebAssembly.Table';
    case 'memory':
      return 'WebAssembly.Memory';
    case 'global':
      return globalType(entry.type);
    case 'tag':
      // TypeScript's library has no type for it.
      return 'object';
  }
}

function functionType(type: FunctionType, tuple = ''): string {
  return `(${parameters(type)}) => ${resultType(type, tuple)}`;
}

function parameters({ params }: FunctionType): string {
  return params.map((value, index) => `p${index}: ${valueType(value)}`).join(', ');
}

function resultType({ results }: FunctionType, tuple = ''): string {
  const [only, ...others] = results.map(valueType);
  if (only === undefined) return 'void';
  return others.length === 0 ? only : `${tuple}[${[only, ...others].join(', ')}]`;
}

function globalType({ value }: GlobalType): string {
  if (value === 'funcref') return "WebAssembly.Global<'anyfunc'>";
  const known = value === 'externref' || (typeof value === 'string' && value in NUMBERS);
  return known ? `WebAssembly.Global<'${value}'>` : 'WebAssembly.Global';
}

/** `never`: JavaScript has no such values. */
const NUMBERS: Readonly<Record<Exclude<ValueType, ReferenceType>, string>> = {
  i32: 'number',
  i64: 'bigint',
  f32: 'number',
  f64: 'number',
  v128: 'never',
};

/** Without null. https://webassembly.github.io/spec/js-api/index.html#tojsvalue */
const HEAP_TYPES: Readonly<Record<AbstractHeapType, string>> = {
  func: 'Function',
  extern: '{} | undefined',
  any: '{} | undefined',
  eq: 'object | number',
  i31: 'number',
  struct: 'object',
  array: 'object',
  exn: 'never',
  none: 'never',
  nofunc: 'never',
  noextern: 'never',
  noexn: 'never',
};

const NULLABLE_REFERENCES: Readonly<Record<Extract<ReferenceType, string>, string>> = {
  funcref: 'Function | null',
  externref: 'unknown',
  anyref: 'unknown',
  eqref: 'object | number | null',
  i31ref: 'number | null',
  structref: 'object | null',
  arrayref: 'object | null',
  exnref: 'never',
  nullref: 'null',
  nullfuncref: 'null',
  nullexternref: 'null',
  nullexnref: 'never',
};

function valueType(value: ValueType): string {
  if (typeof value === 'string')
    return value in NUMBERS
      ? NUMBERS[value as keyof typeof NUMBERS]
      : NULLABLE_REFERENCES[value as keyof typeof NULLABLE_REFERENCES];
  if (value.kind === 'abstract') return HEAP_TYPES[value.heap];
  const type = value.defines === 'function' ? 'Function' : 'object';
  return value.nullable ? `${type} | null` : type;
}

function propertyName(name: string): string {
  return isIdentifier(name) ? name : JSON.stringify(name);
}
