import { Cursor } from './cursor.ts';
import type { CompositeKind, FunctionType } from './extern-types.ts';
import { readValueType, skipValueType, type Definitions } from './value-types.ts';

/**
 * Codes of recursive, sub and composite types:
 * https://webassembly.github.io/spec/core/binary/types.html#recursive-types
 */
const REC = 0x4e;
const SUB = 0x50;
const SUB_FINAL = 0x4f;
const FUNC = 0x60;
const STRUCT = 0x5f;
const ARRAY = 0x5e;

/** Packed types. Only fields can have them. */
const I8 = 0x78;
const I16 = 0x77;

/** The least bytes that a type of the type section, a value type and a field take. */
const TYPE_SIZE = 2;
const VALUE_TYPE_SIZE = 1;
const FIELD_SIZE = 2;

/**
 * The types that a module defines. One pass finds the offset of each. A function type is decoded at its first
 * use, because imports and exports mention only a few of a module's types.
 */
export class Types {
  readonly #contentAt: (offset: number) => Cursor | undefined;
  /** By type index: the kind of type, and the offset after the byte that encodes the kind. */
  readonly #entries: { kind: CompositeKind; offset: number }[] = [];
  readonly #functionTypes = new Map<number, FunctionType>();

  /**
   * @param contentAt returns a cursor over the type section from an offset, by default its start; undefined
   * without it
   */
  constructor(contentAt: (offset?: number) => Cursor | undefined) {
    this.#contentAt = contentAt;
    const cursor = contentAt();
    cursor?.skipVector('types', TYPE_SIZE, () => this.#skipRecursiveType(cursor));
    cursor?.finish();
  }

  /** How many types the module defines. */
  get count(): number {
    return this.#entries.length;
  }

  /** Returns the lookup for type indices in other sections. `cursor` reads there; its messages name the place. */
  definitions(cursor: Cursor): Definitions {
    return (typeIndex, offset) => this.#entry(cursor, typeIndex, offset).kind;
  }

  /** Returns the function type at a type index that `cursor` read at `offset`. */
  functionType(cursor: Cursor, typeIndex: number, offset: number): FunctionType {
    const known = this.#functionTypes.get(typeIndex);
    if (known) return known;
    const entry = this.#entry(cursor, typeIndex, offset);
    const content = this.#contentAt(entry.offset);
    if (entry.kind !== 'function' || !content) {
      return cursor.invalid('the index of a function type', `${typeIndex}, of ${entry.kind} type`, offset);
    }
    const definitions = this.definitions(content);
    const values = (what: string) =>
      content.vector(what, VALUE_TYPE_SIZE, () => readValueType(content, definitions));
    const type = { params: values('parameters'), results: values('results') };
    this.#functionTypes.set(typeIndex, type);
    return type;
  }

  #entry(cursor: Cursor, typeIndex: number, offset: number) {
    const entry = this.#entries[typeIndex];
    if (entry) return entry;
    return cursor.invalid(`a type index below ${this.#entries.length}`, `${typeIndex}`, offset);
  }

  #skipRecursiveType(cursor: Cursor): void {
    const offset = cursor.offset;
    const code = cursor.u8('a type');
    if (code !== REC) return this.#skipSubType(cursor, code, offset);
    cursor.skipVector('types of a recursion group', TYPE_SIZE, () => {
      const start = cursor.offset;
      this.#skipSubType(cursor, cursor.u8('a type'), start);
    });
  }

  #skipSubType(cursor: Cursor, code: number, offset: number): void {
    if (code !== SUB && code !== SUB_FINAL) return this.#skipCompositeType(cursor, code, offset);
    cursor.skipVector('supertypes', 1, () => cursor.u32('a type index'));
    const start = cursor.offset;
    this.#skipCompositeType(cursor, cursor.u8('a composite type'), start);
  }

  #skipCompositeType(cursor: Cursor, code: number, offset: number): void {
    const start = cursor.offset;
    switch (code) {
      case FUNC:
        this.#entries.push({ kind: 'function', offset: start });
        cursor.skipVector('parameters', VALUE_TYPE_SIZE, () => skipValueType(cursor));
        return cursor.skipVector('results', VALUE_TYPE_SIZE, () => skipValueType(cursor));
      case STRUCT:
        this.#entries.push({ kind: 'struct', offset: start });
        return cursor.skipVector('fields', FIELD_SIZE, () => skipFieldType(cursor));
      case ARRAY:
        this.#entries.push({ kind: 'array', offset: start });
        return skipFieldType(cursor);
      default:
        return cursor.unsupported('the code of a function, struct or array type', code, offset);
    }
  }
}

function skipFieldType(cursor: Cursor): void {
  const storage = cursor.peek();
  if (storage === I8 || storage === I16) cursor.skip(1, 'a packed type');
  else skipValueType(cursor);
  cursor.u8('a mutability');
}
