/** Formats a module's imports and exports as text. */
import type { JsonValue } from '../artifact/contents.ts';
import { formatValueType } from '../wasm/binary/text-format.ts';
import type { Extern, ValueType, WasmInterface } from '../wasm/binary/extern-types.ts';

/** Returns one line for each import and export: `import  env.log  (i32, i32) → ()`. */
export function describeInterface(json: JsonValue): string {
  if (!isWasmInterface(json)) return JSON.stringify(json);
  const lines = [
    ...json.imports.map(
      (entry) => `import ${entry.kind} ${printable(`${entry.module}.${entry.name}`)} ${describeType(entry)}`,
    ),
    ...json.exports.map((entry) => `export ${entry.kind} ${printable(entry.name)} ${describeType(entry)}`),
  ];
  return lines.length > 0 ? lines.join('\n') : 'no imports, no exports';
}

/** Removes control characters, which a name may contain, so that they do not reach the terminal. */
export function printable(name: string): string {
  return name.replaceAll(/\p{Cc}/gu, '');
}

/** `unpackArtifact` validates the contents; this check detects the interface of another producer. */
function isWasmInterface(json: unknown): json is WasmInterface {
  return typeof json === 'object' && json !== null && 'imports' in json && 'exports' in json;
}

function describeType(entry: Extern): string {
  switch (entry.kind) {
    case 'function':
      return `${describeValues(entry.type.params)} → ${describeValues(entry.type.results)}`;
    case 'table':
      return `${formatValueType(entry.type.element)} ${describeLimits(entry.type)}`;
    case 'memory':
      return `${describeLimits(entry.type)} pages${entry.type.shared ? ' shared' : ''}`;
    case 'global':
      return `${entry.type.mutable ? 'mutable ' : ''}${formatValueType(entry.type.value)}`;
    case 'tag':
      return describeValues(entry.type.params);
  }
}

function describeLimits({
  minimum,
  maximum,
  address,
}: {
  minimum: number;
  maximum?: number;
  address: string;
}): string {
  return `${minimum}..${maximum ?? ''}${address === 'i64' ? ' i64' : ''}`;
}

function describeValues(values: readonly ValueType[]): string {
  return `(${values.map(formatValueType).join(', ')})`;
}
