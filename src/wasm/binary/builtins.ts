/**
 * Finds the imports that an engine provides itself, if the module is compiled with the options for it: JS
 * string builtins and string constants (https://github.com/WebAssembly/js-string-builtins).
 */
import type { ValueType, WasmImport } from './extern-types.ts';

const STRING_BUILTINS_MODULE = 'wasm:js-string';

const STRING_BUILTINS = new Set([
  'cast',
  'test',
  'fromCharCodeArray',
  'intoCharCodeArray',
  'fromCharCode',
  'fromCodePoint',
  'charCodeAt',
  'codePointAt',
  'length',
  'concat',
  'substring',
  'equals',
  'compare',
]);

/** The module of string constants in the ESM integration. */
const ESM_CONSTANTS_MODULE = 'wasm:js/string-constants';

/** The module of string constants that the proposal suggests to compilers. */
const SUGGESTED_CONSTANTS_MODULE = "'";

export interface Builtins {
  /** The module of string constants: the compile option `importedStringConstants`. */
  constantsModule: string;
  /** The string constants: each import's name is its value. */
  constants: readonly string[];
  /** The imports that the program has to provide. */
  others: readonly WasmImport[];
}

/** @returns undefined for a module that uses neither builtins nor string constants */
export function findBuiltins(imports: readonly WasmImport[]): Builtins | undefined {
  const suggested = imports.filter(({ module }) => module === SUGGESTED_CONSTANTS_MODULE);
  // Engines reject a module that imports anything else from the module of string constants.
  const isSuggested = suggested.length > 0 && suggested.every(isStringConstant);
  const constantsModule = isSuggested ? SUGGESTED_CONSTANTS_MODULE : ESM_CONSTANTS_MODULE;
  const constants = imports.filter((entry) => entry.module === constantsModule && isStringConstant(entry));
  const others = imports.filter((entry) => !isStringBuiltin(entry) && !constants.includes(entry));
  if (others.length === imports.length) return undefined;
  return { constantsModule, constants: constants.map(({ name }) => name), others };
}

function isStringBuiltin({ module, name, kind }: WasmImport): boolean {
  return module === STRING_BUILTINS_MODULE && kind === 'function' && STRING_BUILTINS.has(name);
}

function isStringConstant({ kind, type }: WasmImport): boolean {
  return kind === 'global' && !type.mutable && isExternReference(type.value);
}

function isExternReference(value: ValueType): boolean {
  if (typeof value === 'string') return value === 'externref';
  return value.kind === 'abstract' && value.heap === 'extern';
}
