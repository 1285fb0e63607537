/** Formats types in the WebAssembly text format: https://webassembly.github.io/spec/core/text/types.html */
import type { Extern, ReferenceType, ValueType } from './extern-types.ts';

/**
 * Formats a type, for example `(func (param i32 i64) (result f32))`. The name of a type that the module defines
 * is its index.
 */
export function formatExternType({ kind, type }: Extern): string {
  switch (kind) {
    case 'function':
      return list('func', ...clause('param', type.params), ...clause('result', type.results));
    case 'table':
      return list('table', ...limits(type), formatValueType(type.element));
    case 'memory':
      return list(
        'memory',
        ...limits(type),
        ...(type.shared ? ['shared'] : []),
        ...(type.pageSize === DEFAULT_PAGE_SIZE ? [] : [`(pagesize ${type.pageSize})`]),
      );
    case 'global': {
      const value = formatValueType(type.value);
      return list('global', type.mutable ? `(mut ${value})` : value);
    }
    case 'tag':
      return list('tag', ...clause('param', type.params));
  }
}

const DEFAULT_PAGE_SIZE = 65536;

export function formatValueType(value: ValueType): string {
  return typeof value === 'string' ? value : formatReference(value);
}

function formatReference(reference: Exclude<ReferenceType, string>): string {
  const heap = reference.kind === 'abstract' ? reference.heap : `$${reference.typeIndex}`;
  return `(ref ${reference.nullable ? 'null ' : ''}${heap})`;
}

function clause(name: string, values: readonly ValueType[]): string[] {
  return values.length === 0 ? [] : [list(name, ...values.map(formatValueType))];
}

function limits({ address, minimum, maximum }: Limits): string[] {
  return [
    ...(address === 'i64' ? ['i64'] : []),
    `${minimum}`,
    ...(maximum === undefined ? [] : [`${maximum}`]),
  ];
}

interface Limits {
  address: 'i32' | 'i64';
  minimum: number;
  maximum?: number;
}

function list(...words: string[]): string {
  return `(${words.join(' ')})`;
}
