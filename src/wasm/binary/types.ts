/**
 * What is known of a module's imports and exports: plain data, so that it can be written as JSON.
 * Terms: https://webassembly.github.io/spec/core/syntax/types.html
 */

/** The heap types that are not defined by the module. */
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

/** A nullable reference to an abstract heap type, by the name that the text format has for it. */
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

/** What an entry of the type section defines. */
export type CompositeKind = 'function' | 'struct' | 'array';

/** A reference type. There is one form for each: `(ref null func)` is always `'funcref'`. */
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
  /** Elements. */
  minimum: number;
  /** Elements. Above `Number.MAX_SAFE_INTEGER` (64-bit tables only) a close number. */
  maximum?: number;
}

export interface MemoryType {
  /** The type of an address. */
  address: 'i32' | 'i64';
  /** Pages. */
  minimum: number;
  /** Pages. */
  maximum?: number;
  shared: boolean;
  /** Bytes: 65536, or what the module asks for (custom-page-sizes proposal). */
  pageSize: number;
}

export interface GlobalType {
  value: ValueType;
  mutable: boolean;
}

/** The type of an exception: a tag gives no results. */
export interface TagType {
  params: readonly ValueType[];
}

/** Something that a module can import or export. */
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
  /** In the index space of its kind, where the imports come first. */
  index: number;
} & Extern;

/** What a module needs and gives, in the order of the module. */
export interface WasmInterface {
  imports: readonly WasmImport[];
  exports: readonly WasmExport[];
}
