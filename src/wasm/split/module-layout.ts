/**
 * The facts about a module that splitting needs: the place of each definition, and which functions are
 * referenced outside of code.
 */
import { type FunctionBody, readFunctionBodies } from '../binary/code.ts';
import { skipConstantExpression } from '../binary/constant-expression.ts';
import { Cursor } from '../binary/cursor.ts';
import { type Section, SectionId, readSections } from '../binary/sections.ts';
import { Types } from '../binary/type-section.ts';
import { readGlobalType, readMemoryType, readReferenceType, readTableType } from '../binary/value-types.ts';

/** A range of bytes of the file. */
export interface Range {
  /** Bytes from the start of the file. */
  offset: number;
  size: number;
}

/** What a module can import and export: the values are the codes in the binary format. */
export enum ExternalKind {
  Function = 0,
  Table = 1,
  Memory = 2,
  Global = 3,
  Tag = 4,
}

/** Everything but functions: what the modules of a split share. */
export type StateKind = Exclude<ExternalKind, ExternalKind.Function>;

export const STATE_KINDS: readonly StateKind[] = [
  ExternalKind.Table,
  ExternalKind.Memory,
  ExternalKind.Global,
  ExternalKind.Tag,
];

export interface ModuleLayout {
  sections: readonly Section[];
  /** Number of entries of the type section; a recursion group is one entry. */
  typeEntries: number;
  /** How many types the module defines. */
  types: number;
  /** The entries of imported functions in the import section. */
  functionImports: readonly Range[];
  /** Module names of all imports. */
  importModules: ReadonlySet<string>;
  /** Type indices, by function index. */
  functionTypes: readonly number[];
  /** Returns how many parameters a function type has. */
  parameters(typeIndex: number): number;
  /** The encoded types of tables, memories, globals and tags, by kind and index. An import has the same encoding. */
  state: Readonly<Record<StateKind, readonly Range[]>>;
  sharedMemory: boolean;
  exports: readonly { name: string; kind: ExternalKind; index: number }[];
  /** Index of the start function. */
  start: number | undefined;
  elementSegments: number;
  /** Indices of functions that exports, tables, globals or element segments refer to. */
  referenced: ReadonlySet<number>;
  /** The bodies of the declared functions. */
  bodies: readonly FunctionBody[];
}

/** The first byte of a table with an initializer. A zero byte follows, then the table type. */
const TABLE_WITH_INITIALIZER = 0x40;

/** Flags of element segments: https://webassembly.github.io/spec/core/binary/modules.html#element-section */
const NOT_ACTIVE = 1;
const EXPLICIT = 2;
const EXPRESSIONS = 4;
const LAST_FLAGS = 7;

/** @throws WasmPrecompileError `INVALID_WASM` or `UNSUPPORTED_WASM` */
export function readModuleLayout(bytes: Uint8Array, file?: string): ModuleLayout {
  return new Reader(bytes, file).read();
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #file: string | undefined;
  readonly #sections: readonly Section[];
  readonly #types: Types;
  readonly #functionImports: Range[] = [];
  readonly #importModules = new Set<string>();
  readonly #functionTypes: number[] = [];
  readonly #state: Record<StateKind, Range[]> = {
    [ExternalKind.Table]: [],
    [ExternalKind.Memory]: [],
    [ExternalKind.Global]: [],
    [ExternalKind.Tag]: [],
  };
  readonly #referenced = new Set<number>();
  #sharedMemory = false;

  constructor(bytes: Uint8Array, file: string | undefined) {
    this.#bytes = bytes;
    this.#file = file;
    this.#sections = readSections(bytes, file).sections;
    this.#types = new Types((offset) => this.#content(SectionId.Type, offset));
  }

  read(): ModuleLayout {
    const typeEntries = this.#content(SectionId.Type)?.u32('the count of types') ?? 0;
    this.#vector(SectionId.Import, 'imports', (cursor) => this.#import(cursor));
    this.#vector(SectionId.Function, 'functions', (cursor) => this.#function(cursor));
    const functions = this.#functionTypes.length - this.#functionImports.length;
    this.#vector(SectionId.Table, 'tables', (cursor) => this.#table(cursor));
    this.#vector(SectionId.Memory, 'memories', (cursor) => this.#stateType(ExternalKind.Memory, cursor));
    this.#vector(SectionId.Tag, 'tags', (cursor) => this.#stateType(ExternalKind.Tag, cursor));
    this.#vector(SectionId.Global, 'globals', (cursor) => {
      this.#stateType(ExternalKind.Global, cursor);
      this.#expression(cursor);
    });
    const exports: { name: string; kind: ExternalKind; index: number }[] = [];
    this.#vector(SectionId.Export, 'exports', (cursor) => {
      const entry = { name: cursor.name('a name'), kind: readKind(cursor), index: cursor.u32('an index') };
      exports.push(entry);
      if (entry.kind === ExternalKind.Function) this.#referenced.add(entry.index);
    });
    const start = this.#content(SectionId.Start)?.u32('a function index');
    const elementSegments = this.#vector(SectionId.Element, 'element segments', (cursor) =>
      this.#elements(cursor),
    );
    const bodies = readFunctionBodies(this.#bytes, { sections: this.#sections, functions }, this.#file);
    return {
      sections: this.#sections,
      typeEntries,
      types: this.#types.count,
      functionImports: this.#functionImports,
      importModules: this.#importModules,
      functionTypes: this.#functionTypes,
      parameters: (typeIndex) => {
        const cursor = this.#contentOf(SectionId.Function);
        return this.#types.functionType(cursor, typeIndex, cursor.offset).params.length;
      },
      state: this.#state,
      sharedMemory: this.#sharedMemory,
      exports,
      start,
      elementSegments,
      referenced: this.#referenced,
      bodies,
    };
  }

  #import(cursor: Cursor): void {
    const { offset } = cursor;
    this.#importModules.add(cursor.name('the module of an import'));
    cursor.name('the name of an import');
    const kind = readKind(cursor);
    if (kind !== ExternalKind.Function) return this.#stateType(kind, cursor);
    this.#function(cursor);
    this.#functionImports.push({ offset, size: cursor.offset - offset });
  }

  #function(cursor: Cursor): void {
    this.#functionTypes.push(cursor.u32('a type index'));
  }

  #table(cursor: Cursor): void {
    const initialized = cursor.peek() === TABLE_WITH_INITIALIZER;
    if (initialized) cursor.skip(2, 'the start of a table with an initializer');
    this.#stateType(ExternalKind.Table, cursor);
    if (initialized) this.#expression(cursor);
  }

  #stateType(kind: StateKind, cursor: Cursor): void {
    const { offset } = cursor;
    const definitions = this.#types.definitions(cursor);
    switch (kind) {
      case ExternalKind.Table:
        readTableType(cursor, definitions);
        break;
      case ExternalKind.Memory:
        this.#sharedMemory ||= readMemoryType(cursor).shared;
        break;
      case ExternalKind.Global:
        readGlobalType(cursor, definitions);
        break;
      case ExternalKind.Tag:
        cursor.skip(1, 'the attribute of a tag');
        cursor.u32('a type index');
        break;
    }
    this.#state[kind].push({ offset, size: cursor.offset - offset });
  }

  #elements(cursor: Cursor): void {
    const { offset } = cursor;
    const flags = cursor.u32('the flags of an element segment');
    if (flags > LAST_FLAGS) cursor.unsupported('the flags of an element segment', flags, offset);
    if (!(flags & NOT_ACTIVE)) {
      if (flags & EXPLICIT) cursor.u32('a table index');
      this.#expression(cursor);
    }
    const expressions = (flags & EXPRESSIONS) !== 0;
    // The kind or type of the elements. It is omitted if the segment is active in table 0.
    if (flags & (NOT_ACTIVE | EXPLICIT)) {
      if (expressions) readReferenceType(cursor, this.#types.definitions(cursor));
      else cursor.skip(1, 'the kind of elements');
    }
    cursor.skipVector('elements', 1, () => {
      if (expressions) this.#expression(cursor);
      else this.#referenced.add(cursor.u32('a function index'));
    });
  }

  #expression(cursor: Cursor): void {
    skipConstantExpression(cursor, (index) => this.#referenced.add(index));
  }

  /** Reads a section that is a vector. @returns how many elements it has; 0 without the section */
  #vector(id: SectionId, what: string, read: (cursor: Cursor) => void): number {
    const cursor = this.#content(id);
    let count = 0;
    cursor?.skipVector(what, 1, () => {
      count++;
      read(cursor);
    });
    cursor?.finish();
    return count;
  }

  #contentOf(id: SectionId): Cursor {
    return (
      this.#content(id) ??
      new Cursor(this.#bytes, this.#bytes.length, this.#bytes.length, 'module', this.#file)
    );
  }

  #content(id: SectionId, offset?: number): Cursor | undefined {
    const section = this.#sections.find((each) => each.id === id);
    if (!section) return undefined;
    const end = section.offset + section.size;
    return new Cursor(this.#bytes, offset ?? section.offset, end, `${section.name} section`, this.#file);
  }
}

function readKind(cursor: Cursor): ExternalKind {
  const { offset } = cursor;
  const code = cursor.u8('an external kind');
  return code <= ExternalKind.Tag ? code : cursor.unsupported('an external kind from 0 to 4', code, offset);
}
