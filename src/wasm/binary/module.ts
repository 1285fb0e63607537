/**
 * Reads the interface of a core module. The format: https://webassembly.github.io/spec/core/binary/modules.html
 * (3.0).
 *
 * Why not a library: the libraries are slower, or misread newer modules. Measured on Node 20.20.2 with two
 * shared cores, reading imports and exports of @swc/wasm-web 1.16 (18 MB) and esbuild-wasm 0.28 (14 MB). Times
 * are milliseconds: the first read of a process / the best one.
 *
 *   this reader                        10 / 0.8    8 / 0.3
 *   wasmparser 5.11.1 (2024)           12 / 0.6    5 / 0.5   code, data and element sections skipped
 *   unwasm 0.6.0 (2026)                 2 / 0.1    1 / 0.1   not the same work, see below
 *   @webassemblyjs/wasm-parser 1.14.1  64 / 11    58 / 4.5   (2024)
 *   WebAssembly.Module (V8 11.3)       83         51         compiles lazily; names and kinds without types
 *   wabt 1.0.39 (2025)              11585 / 6438  aborts     reads every instruction
 *
 * wasmparser is the only one that supports GC types. It misreads newer features (64-bit memories and tables,
 * table initializers, page sizes) without an error, reads past the end of damaged files, and accepts duplicate
 * sections. For a file of 17 bytes with a hostile count it needs 40 s and all memory. unwasm has no table,
 * memory, global, tag or GC types, and one result for each function. @webassemblyjs supports neither tags nor
 * typed references, GC types or 64-bit memories.
 */
import { skipConstantExpression } from './constant-expression.ts';
import { Cursor } from './cursor.ts';
import { readFunctionNames } from './name-section.ts';
import { SectionId, readSections, type Section, type Sections } from './sections.ts';
import { Types } from './type-section.ts';
import type {
  Extern,
  ExternKind,
  GlobalType,
  MemoryType,
  TableType,
  TagType,
  WasmExport,
  WasmImport,
  WasmInterface,
} from './extern-types.ts';
import { readGlobalType, readMemoryType, readTableType } from './value-types.ts';

/** The facts about a module that can be read without its code and data. */
export interface WasmModule extends WasmInterface, Sections {
  /** How many functions the module imports. They have the lowest function indices. */
  importedFunctions: number;
  /** How many functions the module declares. */
  functions: number;
  /** Index of the start function. */
  start?: number;
  /**
   * Decodes the function names of the name section, by function index. Empty if there is no name section, or if it is
   * damaged.
   */
  functionNames(): Map<number, string>;
}

/** External kinds in the order of their codes. */
const KINDS: readonly ExternKind[] = ['function', 'table', 'memory', 'global', 'tag'];

/** The first byte of a table with an initializer. A zero byte follows, then the table type. */
const TABLE_WITH_INITIALIZER = 0x40;

/** The only attribute that a tag can have. */
const EXCEPTION = 0;

/**
 * Reads the interface of a core module. It skips code, data and element sections, and validates only what it needs to
 * read correctly: the engine validates the rest.
 *
 * @param bytes wire bytes
 * @param file the name of the file, for messages
 * @throws WasmPrecompileError `INVALID_WASM` if the bytes are not wasm or damaged; `UNSUPPORTED_WASM` if they are a
 *   component, or use a feature that the spec (3.0) does not have
 */
export function readModule(bytes: Uint8Array, file?: string): WasmModule {
  const sections = readSections(bytes, file);
  return {
    ...sections,
    ...new Reader(bytes, file, sections).read(),
    functionNames() {
      const section = sections.customSections.find(({ name }) => name === 'name');
      return section ? readFunctionNames(bytes, section) : new Map<number, string>();
    },
  };
}

/** Returns the imports and exports of a module, as plain data for JSON. */
export function interfaceOf({ imports, exports }: WasmInterface): WasmInterface {
  return { imports, exports };
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #file: string | undefined;
  readonly #sections: ReadonlyMap<SectionId, Section>;
  readonly #types: Types;
  /** Type indices by function index. */
  readonly #functions: number[] = [];
  readonly #tables: TableType[] = [];
  readonly #memories: MemoryType[] = [];
  readonly #globals: GlobalType[] = [];
  readonly #tags: TagType[] = [];

  constructor(bytes: Uint8Array, file: string | undefined, { sections }: Sections) {
    this.#bytes = bytes;
    this.#file = file;
    this.#sections = new Map(sections.map((section) => [section.id, section]));
    this.#types = new Types((offset) => this.#content(SectionId.Type, offset));
  }

  read() {
    const imports = this.#vector(SectionId.Import, 'imports', 4, (cursor) => this.#import(cursor));
    const importedFunctions = this.#functions.length;
    this.#vector(SectionId.Function, 'functions', 1, (cursor) => {
      this.#functions.push(cursor.u32('a type index'));
    });
    this.#vector(SectionId.Table, 'tables', 3, (cursor) => {
      this.#tables.push(this.#table(cursor));
    });
    this.#vector(SectionId.Memory, 'memories', 2, (cursor) => {
      this.#memories.push(readMemoryType(cursor));
    });
    this.#vector(SectionId.Tag, 'tags', 2, (cursor) => {
      this.#tags.push(this.#tag(cursor));
    });
    this.#vector(SectionId.Global, 'globals', 3, (cursor) => {
      this.#globals.push(readGlobalType(cursor, this.#types.definitions(cursor)));
      skipConstantExpression(cursor);
    });
    const exports = this.#vector(SectionId.Export, 'exports', 3, (cursor) => this.#export(cursor));
    const start = this.#start();
    return {
      imports,
      exports,
      importedFunctions,
      functions: this.#functions.length - importedFunctions,
      ...(start === undefined ? {} : { start }),
    };
  }

  #import(cursor: Cursor): WasmImport {
    const module = cursor.name('the module of an import');
    const name = cursor.name('the name of an import');
    return { module, name, ...this.#importType(cursor) };
  }

  #importType(cursor: Cursor): Extern {
    const kind = readKind(cursor);
    const definitions = this.#types.definitions(cursor);
    switch (kind) {
      case 'function': {
        const offset = cursor.offset;
        const typeIndex = cursor.u32('a type index');
        this.#functions.push(typeIndex);
        return { kind, type: this.#types.functionType(cursor, typeIndex, offset) };
      }
      case 'table':
        return { kind, type: append(this.#tables, readTableType(cursor, definitions)) };
      case 'memory':
        return { kind, type: append(this.#memories, readMemoryType(cursor)) };
      case 'global':
        return { kind, type: append(this.#globals, readGlobalType(cursor, definitions)) };
      case 'tag':
        return { kind, type: append(this.#tags, this.#tag(cursor)) };
    }
  }

  #export(cursor: Cursor): WasmExport {
    const name = cursor.name('the name of an export');
    const kind = readKind(cursor);
    const offset = cursor.offset;
    const index = cursor.u32(`a ${kind} index`);
    const pick = <T>(space: readonly T[]): T => {
      const type = space[index];
      if (type !== undefined) return type;
      return cursor.invalid(`a ${kind} index below ${space.length}`, `${index}`, offset);
    };
    const entry = { name, index };
    switch (kind) {
      case 'function':
        return { ...entry, kind, type: this.#types.functionType(cursor, pick(this.#functions), offset) };
      case 'table':
        return { ...entry, kind, type: pick(this.#tables) };
      case 'memory':
        return { ...entry, kind, type: pick(this.#memories) };
      case 'global':
        return { ...entry, kind, type: pick(this.#globals) };
      case 'tag':
        return { ...entry, kind, type: pick(this.#tags) };
    }
  }

  #table(cursor: Cursor): TableType {
    const definitions = this.#types.definitions(cursor);
    if (cursor.peek() !== TABLE_WITH_INITIALIZER) return readTableType(cursor, definitions);
    cursor.skip(2, 'the start of a table with an initializer');
    const type = readTableType(cursor, definitions);
    skipConstantExpression(cursor);
    return type;
  }

  #tag(cursor: Cursor): TagType {
    const start = cursor.offset;
    const attribute = cursor.u8('the attribute of a tag');
    if (attribute !== EXCEPTION) cursor.unsupported('the attribute of a tag (0)', attribute, start);
    const offset = cursor.offset;
    const { params } = this.#types.functionType(cursor, cursor.u32('a type index'), offset);
    return { params };
  }

  #start(): number | undefined {
    const cursor = this.#content(SectionId.Start);
    const start = cursor?.u32('a function index');
    cursor?.finish();
    return start;
  }

  /** Reads a section that is a vector. Each element takes at least `size` bytes. */
  #vector<T>(id: SectionId, what: string, size: number, read: (cursor: Cursor) => T): T[] {
    const cursor = this.#content(id);
    const elements = cursor?.vector(what, size, () => read(cursor));
    cursor?.finish();
    return elements ?? [];
  }

  /** Returns a cursor over a section's content from `offset`, by default its start; undefined without the section. */
  #content(id: SectionId, offset?: number): Cursor | undefined {
    const section = this.#sections.get(id);
    if (!section) return undefined;
    const end = section.offset + section.size;
    const place = `${section.name} section`;
    return new Cursor(this.#bytes, offset ?? section.offset, end, place, this.#file);
  }
}

function readKind(cursor: Cursor): ExternKind {
  const offset = cursor.offset;
  const code = cursor.u8('an external kind');
  return KINDS[code] ?? cursor.unsupported('an external kind from 0 to 4', code, offset);
}

function append<T>(space: T[], type: T): T {
  space.push(type);
  return type;
}
