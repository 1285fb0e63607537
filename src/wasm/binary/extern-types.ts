/**
 * Describes a module's imports and exports: plain data, so that it can be written as JSON.
 * Terms: https://webassembly.github.io/spec/core/syntax/types.html
 */

/** The heap types that the spec defines, not the module. */
export type AbstractHeapType =
  | 'func'
  | 'extern'
  | 'any'
  | 'eq'
  | 'i31'
  | 'struct'
  | 'array'
  | 'exn'
  | 'none'
  | 'nofunc'
  | 'noextern'
  | 'noexn';

/** A nullable reference to an abstract heap type: its name in the text format. */
export type NullableReference =
  | 'funcref'
  | 'externref'
  | 'anyref'
  | 'eqref'
  | 'i31ref'
  | 'structref'
  | 'arrayref'
  | 'exnref'
  | 'nullref'
  | 'nullfuncref'
  | 'nullexternref'
  | 'nullexnref';

/** The kinds of types that the type section can define. */
export type CompositeKind = 'function' | 'struct' | 'array';

/** A reference type. Each has one representation: `(ref null func)` is always `'funcref'`. */
export type ReferenceType =
  | NullableReference
  | { kind: 'abstract'; heap: AbstractHeapType; nullable: false }
  | {
      kind: 'concrete';
      /** Index in the module's type section. */
      typeIndex: number;
      defines: CompositeKind;
      nullable: boolean;
    };

export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128' | ReferenceType;

export interface FunctionType {
  params: readonly ValueType[];
  results: readonly ValueType[];
}

export interface TableType {
  element: ReferenceType;
  /** The type of an index into the table. */
  address: 'i32' | 'i64';
  /** A number of elements. */
  minimum: number;
  /** A number of elements. Above `Number.MAX_SAFE_INTEGER` (64-bit tables only) it is approximate. */
  maximum?: number;
}

export interface MemoryType {
  /** The type of an address. */
  address: 'i32' | 'i64';
  /** A number of pages. */
  minimum: number;
  /** A number of pages. */
  maximum?: number;
  shared: boolean;
  /** Bytes: 65536, or the size that the module declares (custom-page-sizes proposal). */
  pageSize: number;
}

export interface GlobalType {
  value: ValueType;
  mutable: boolean;
}

/** The type of an exception. A tag has no results. */
export interface TagType {
  params: readonly ValueType[];
}

/** The type of an import or export. */
export type Extern =
  | { kind: 'function'; type: FunctionType }
  | { kind: 'table'; type: TableType }
  | { kind: 'memory'; type: MemoryType }
  | { kind: 'global'; type: GlobalType }
  | { kind: 'tag'; type: TagType };

export type ExternKind = Extern['kind'];

export type WasmImport = { module: string; name: string } & Extern;

export type WasmExport = {
  name: string;
  /** Index in the index space of its kind. Imports have the lowest indices. */
  index: number;
} & Extern;

/** A module's imports and exports, in the order of the module. */
export interface WasmInterface {
  imports: readonly WasmImport[];
  exports: readonly WasmExport[];
}
