import type { Cursor } from './cursor.ts';
import type {
  AbstractHeapType,
  CompositeKind,
  GlobalType,
  MemoryType,
  NullableReference,
  ReferenceType,
  TableType,
  ValueType,
} from './extern-types.ts';

/** https://webassembly.github.io/spec/core/binary/types.html#number-types */
const NUMBERS: ReadonlyMap<number, Exclude<ValueType, ReferenceType>> = new Map([
  [0x7f, 'i32'],
  [0x7e, 'i64'],
  [0x7d, 'f32'],
  [0x7c, 'f64'],
  [0x7b, 'v128'],
] as const);

/** https://webassembly.github.io/spec/core/binary/types.html#heap-types */
const HEAP_TYPES: ReadonlyMap<number, readonly [AbstractHeapType, NullableReference]> = new Map([
  [0x74, ['noexn', 'nullexnref']],
  [0x73, ['nofunc', 'nullfuncref']],
  [0x72, ['noextern', 'nullexternref']],
  [0x71, ['none', 'nullref']],
  [0x70, ['func', 'funcref']],
  [0x6f, ['extern', 'externref']],
  [0x6e, ['any', 'anyref']],
  [0x6d, ['eq', 'eqref']],
  [0x6c, ['i31', 'i31ref']],
  [0x6b, ['struct', 'structref']],
  [0x6a, ['array', 'arrayref']],
  [0x69, ['exn', 'exnref']],
] as const);

const REF = 0x64;
const REF_NULL = 0x63;

/** Flags in the limits of tables and memories. */
const HAS_MAXIMUM = 0x01;
const SHARED = 0x02;
const ADDRESS_64 = 0x04;
const HAS_PAGE_SIZE = 0x08;

const DEFAULT_PAGE_SIZE_LOG2 = 16;

/** Looks up the kind of type at an index of the type section. Throws if there is no such index. */
export type Definitions = (typeIndex: number, offset: number) => CompositeKind;

/**
 * Returns the code of a heap type. An abstract heap type is read as a negative number: its low seven bits are
 * the code.
 */
function codeOf(heap: number): number {
  return heap >= -0x40 ? heap + 0x80 : heap;
}

/** Reads a value type. https://webassembly.github.io/spec/core/binary/types.html#value-types */
export function readValueType(cursor: Cursor, definitions: Definitions): ValueType {
  const offset = cursor.offset;
  const code = cursor.u8('a value type');
  return NUMBERS.get(code) ?? referenceType(cursor, code, offset, definitions);
}

/** Reads a reference type. https://webassembly.github.io/spec/core/binary/types.html#reference-types */
export function readReferenceType(cursor: Cursor, definitions: Definitions): ReferenceType {
  const offset = cursor.offset;
  return referenceType(cursor, cursor.u8('a reference type'), offset, definitions);
}

/** Skips a value type. It does not check the types that the value type refers to. */
export function skipValueType(cursor: Cursor): void {
  const offset = cursor.offset;
  const code = cursor.u8('a value type');
  if (code === REF || code === REF_NULL) skipHeapType(cursor);
  else if (!NUMBERS.has(code) && !HEAP_TYPES.has(code)) cursor.unsupported('a value type', code, offset);
}

/** Skips a heap type. */
export function skipHeapType(cursor: Cursor): void {
  const offset = cursor.offset;
  const heap = cursor.s33('a heap type');
  if (heap < 0 && !HEAP_TYPES.has(codeOf(heap))) cursor.unsupported('a heap type', codeOf(heap), offset);
}

/** Reads a table type. https://webassembly.github.io/spec/core/binary/types.html#table-types */
export function readTableType(cursor: Cursor, definitions: Definitions): TableType {
  const element = readReferenceType(cursor, definitions);
  const { limits } = readLimits(cursor, HAS_MAXIMUM | ADDRESS_64);
  return { element, ...limits };
}

/**
 * Reads a memory type. https://webassembly.github.io/spec/core/binary/types.html#memory-types,
 * https://github.com/WebAssembly/custom-page-sizes
 */
export function readMemoryType(cursor: Cursor): MemoryType {
  const { flags, limits } = readLimits(cursor, HAS_MAXIMUM | SHARED | ADDRESS_64 | HAS_PAGE_SIZE);
  const offset = cursor.offset;
  const log2 = flags & HAS_PAGE_SIZE ? cursor.u32('a page size') : DEFAULT_PAGE_SIZE_LOG2;
  if (log2 > DEFAULT_PAGE_SIZE_LOG2) cursor.unsupported('a page size of 2^0 to 2^16 bytes', log2, offset);
  return { ...limits, shared: (flags & SHARED) !== 0, pageSize: 2 ** log2 };
}

/** Reads a global type. https://webassembly.github.io/spec/core/binary/types.html#global-types */
export function readGlobalType(cursor: Cursor, definitions: Definitions): GlobalType {
  const value = readValueType(cursor, definitions);
  const offset = cursor.offset;
  const mutability = cursor.u8('a mutability');
  if (mutability > 1) cursor.unsupported('a mutability (0 or 1)', mutability, offset);
  return { value, mutable: mutability === 1 };
}

function referenceType(
  cursor: Cursor,
  code: number,
  offset: number,
  definitions: Definitions,
): ReferenceType {
  const [, shorthand] = HEAP_TYPES.get(code) ?? [];
  if (shorthand !== undefined) return shorthand;
  if (code !== REF && code !== REF_NULL) return cursor.unsupported('a value type', code, offset);
  const nullable = code === REF_NULL;
  const heapOffset = cursor.offset;
  const heap = cursor.s33('a heap type');
  if (heap >= 0) {
    return { kind: 'concrete', typeIndex: heap, defines: definitions(heap, heapOffset), nullable };
  }
  const abstract = HEAP_TYPES.get(codeOf(heap));
  if (!abstract) return cursor.unsupported('a heap type', codeOf(heap), heapOffset);
  return nullable ? abstract[1] : { kind: 'abstract', heap: abstract[0], nullable };
}

function readLimits(cursor: Cursor, allowed: number) {
  const offset = cursor.offset;
  const flags = cursor.u8('the flags of limits');
  if ((flags & ~allowed) !== 0) cursor.unsupported('the flags of limits', flags, offset);
  const wide = (flags & ADDRESS_64) !== 0;
  const read = (what: string) => (wide ? cursor.u64(what) : cursor.u32(what));
  const minimum = read('a minimum');
  const limits: Pick<TableType, 'address' | 'minimum' | 'maximum'> = {
    address: wide ? 'i64' : 'i32',
    minimum,
    ...(flags & HAS_MAXIMUM ? { maximum: read('a maximum') } : {}),
  };
  return { flags, limits };
}
