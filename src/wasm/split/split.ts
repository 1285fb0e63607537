/**
 * Cuts a module in parts, so that a start needs only one of them: the primary, with the functions that a start executes.
 * The others, the secondaries, come in at the first call of a function in them.
 *
 * All parts have the types, the function imports and the function section of the module, so that every function has
 * the same index and type in each of them. A function's body is in one part, its owner. Elsewhere it is a stub that calls
 * through the added table `functions`, or, where nobody can call it, the instruction `unreachable`.
 *
 *  - The primary is the module with everything else that it has: memories, tables, globals, tags, segments, custom sections. It
 *    exports all state besides its own exports. The start function is an export instead: it runs once the hook is there. Data
 *    segments are fewer where that makes no difference (data.ts), or there are none, and the memory that they are for is
 *    imported (memory.ts).
 *  - A secondary imports all state from the primary, in the order of the indices. At its instantiation an element segment puts
 *    its functions into the table `functions`; those of the primary have been there since its own.
 *  - Where native code has the hot functions (the option `leastBodies`), their bodies are of no use to a start either: V8 copies and hashes them,
 *    and never looks at them. Then they are in a secondary of their own, the last one, and the primary has stubs for them. These are
 *    called where V8 drops native code, as it does when a debugger is attached, and where it has put one into a function that it optimises
 *    itself (V8 14, through a table). Native code comes from the full primary, which
 *    differs in these bodies alone.
 *  - A stub for a function of a secondary first looks at the part's global `absent`, and while it is 1 calls slot 0 of the
 *    table `hook`, with the numbers of the part and of the function. The host puts a function there that brings in the part
 *    and sets the global to 0; where it cannot, it throws, and the next call tries again.
 *
 * What stays in the primary whatever the profile says: functions that refer to segments, which belong to one instance, and
 * those with `ref.func`, since JavaScript can tell the functions of two instances apart.
 */
import { WasmPrecompileError } from '../../common/error.ts';
import { piecesInOrder } from '../../runtime/shared/reassembly-plan.ts';
import {
  absentExport,
  FUNCTIONS_EXPORT,
  HOOK_EXPORT,
  MEMORY_IMPORT,
  SPLIT,
  START_EXPORT,
} from '../../runtime/shared/split-names.ts';
import { Cursor } from '../binary/cursor.ts';
import { hashModule } from '../binary/hash.ts';
import { encodeUnsigned } from '../binary/leb128.ts';
import { PREAMBLE_SIZE, SECTION_ORDER, type Section, SectionId } from '../binary/sections.ts';
import { type Anatomy, Kind, type Range, readAnatomy, STATE_KINDS, type StateKind } from './anatomy.ts';
import { type Data, findData, writeData } from './data.ts';
import { type Instructions, readInstructions } from './instructions.ts';
import { canBeSeparate, writeMemory } from './memory.ts';
import { splitNames } from './split-name-section.ts';
import { findNear } from './near.ts';
import { assignOwners, PRIMARY } from './owners.ts';
import { composeCopies, makePlan } from './make-reassembly-plan.ts';
import { Writer } from './writer.ts';

export interface SplitOptions {
  /**
   * How many secondaries there are to be at most, besides that of a lean primary. Default: as many as it takes to have 4 MiB of code in
   * each.
   */
  secondaries?: number | undefined;
  /**
   * Whether stubs may use tail calls, so that they take no room on the stack. Where the module has tail calls itself they do in
   * any case: else a loop through several parts would grow the stack.
   */
  tailCalls: boolean;
  /** How many functions near to the hot ones stay with them (near.ts): a share of the bytes of these. Default: none. */
  near?: number | undefined;
  /** From how many bytes of data on the memory is apart, where it can be. Default: never. */
  leastMemory?: number | undefined;
  /** From how many bytes of bodies on the primary is lean, where native code has the functions in `hot`. Default: never. */
  leastBodies?: number | undefined;
}

export interface SplitModule {
  /** The primary, then the secondaries by their numbers. */
  parts: readonly Uint8Array[];
  /** The memory where it is apart from the primary: see runtime/node/split/memory.ts. */
  memory?: Uint8Array | undefined;
  /** Where the primary is lean: what its native code is that of, and what gives it of the primary and the last secondary (recipe.ts). */
  full?: { primary: Uint8Array; plan: Uint8Array } | undefined;
  /** How to put the module together again: see recipe.ts. */
  recipe: Uint8Array;
  /** Numbers of parts, by declared function: of the full primary, where that at hand is lean. */
  owners: readonly number[];
  /** How many declared functions are in the primary because they cannot be elsewhere, though they are not in `hot`. */
  bound: number;
}

/** A custom section in which a lean primary says which module it is that of, since nothing else in it might: `hashModule`. */
const IDENTITY_SECTION = `${SPLIT}:module`;

/** Why a module is left whole: a clause; and whether it could be split all the same. */
export interface Unsplit {
  whole: string;
  possible?: boolean;
}

/** A call of the hook: part and function. */
const HOOK_PARAMETERS = 2;

// https://webassembly.github.io/spec/core/binary/instructions.html
const UNREACHABLE = 0x00;
const IF = 0x04;
const END = 0x0b;
const CALL_INDIRECT = 0x11;
const RETURN_CALL_INDIRECT = 0x13;
const LOCAL_GET = 0x20;
const GLOBAL_GET = 0x23;
const I32_CONST = 0x41;
// Types, limits, mutabilities.
const FUNC = 0x60;
const I32 = 0x7f;
const FUNCREF = 0x70;
const NO_VALUE = 0x40;
const WITH_MAXIMUM = 1;
const MUTABLE = 1;
/** Flags of an element segment that names its table and has function indices; then the kind of these. */
const ACTIVE_IN_TABLE = 2;
const FUNCTIONS = 0;

/** For the names of added exports. */
const KIND_NAMES: Readonly<Record<StateKind, string>> = {
  [Kind.Table]: 'table',
  [Kind.Memory]: 'memory',
  [Kind.Global]: 'global',
  [Kind.Tag]: 'tag',
};

/**
 * @param wire wire bytes of a valid module
 * @param hot indices of the functions that a start executes
 * @param file the name of the file, for messages
 * @returns the parts, or why there are none
 * @throws WasmPrecompileError `INVALID_WASM` for a damaged module
 */
export function splitModule(
  wire: Uint8Array,
  hot: ReadonlySet<number>,
  options: SplitOptions,
  file?: string,
): SplitModule | Unsplit {
  try {
    const anatomy = readAnatomy(wire, file);
    const obstacle = findObstacle(anatomy);
    if (obstacle !== undefined) return { whole: obstacle };
    const instructions = anatomy.bodies.map((body) => readInstructions(wire, body, file));
    return new Splitter(wire, anatomy, instructions, hot, options).split();
  } catch (error) {
    if (error instanceof WasmPrecompileError && error.code === 'UNSUPPORTED_WASM') {
      return { whole: error.message };
    }
    throw error;
  }
}

function findObstacle({ sections, sharedMemory, importModules, exports }: Anatomy): string | undefined {
  // Each thread would have to find the parts.
  if (sharedMemory) return 'its memory is shared between threads';
  // Compiled with options that are not passed on to parts.
  if ([...importModules].some((name) => name.startsWith('wasm:'))) return 'it uses JS string builtins';
  if (sections.some(({ name }) => /^dylink(\.0)?$/.test(name))) return 'it is linked at run time';
  if (importModules.has(SPLIT) || exports.some(({ name }) => name.startsWith(SPLIT))) {
    return `it has imports or exports named ${SPLIT}`;
  }
  return undefined;
}

class Splitter {
  readonly #wire: Uint8Array;
  readonly #anatomy: Anatomy;
  readonly #tailCalls: boolean;
  /** By declared function. */
  readonly #owners: readonly number[];
  readonly #parts: number;
  /** Those of an owner are consecutive. */
  readonly #slots: ReadonlyMap<number, number>;
  /** By part: functions of others that it can call. */
  readonly #called: readonly ReadonlySet<number>[];
  readonly #bound: number;
  /** The slots of functions whose bodies only the last secondary has, once it is there. By their indices. */
  readonly #bodiless: ReadonlyMap<number, number>;
  /** The data section, where it is not as it was. */
  readonly #data: Data | undefined;
  readonly #isMemoryApart: boolean;

  constructor(
    wire: Uint8Array,
    anatomy: Anatomy,
    instructions: readonly Instructions[],
    hot: ReadonlySet<number>,
    { secondaries: parts, tailCalls, near = 0, leastMemory = Infinity, leastBodies = Infinity }: SplitOptions,
  ) {
    this.#wire = wire;
    this.#anatomy = anatomy;
    this.#tailCalls = tailCalls || instructions.some((each) => each.tailCalls);
    const sizes = anatomy.bodies.map(({ size }) => size);
    const imported = anatomy.functionImports.length;
    const isHot = instructions.map((_, i) => hot.has(imported + i));
    const calls = instructions.map((each) => [...each.calls].map((index) => index - imported));
    const close = findNear(sizes, calls, isHot, near);
    const stays = instructions.map(
      ({ bound }, i) => bound !== undefined || isHot[i] === true || close.has(i),
    );
    this.#bound = instructions.filter(({ bound }, i) => bound !== undefined && !isHot[i]).length;
    this.#owners = assignOwners(sizes, stays, parts);
    this.#parts = Math.max(PRIMARY, ...new Set(this.#owners)) + 1;
    const bound = instructions.map((each) => each.bound !== undefined);
    const spare = this.#parts === 1 ? Infinity : leastBodies;
    const bodiless = findBodiless(sizes, calls, bound, isHot, stays, spare).map((i) => imported + i);
    if (bodiless.length > 0) this.#parts += 1;
    this.#called = this.#findCalled(instructions, new Set(bodiless));
    const data = findData(wire, anatomy, instructions);
    this.#isMemoryApart = canBeSeparate(data, anatomy, leastMemory);
    this.#data = data && (this.#isMemoryApart || data.runs.length < data.segments) ? data : undefined;
    const crossing = new Set(this.#called.flatMap((called) => [...called]));
    const byOwner = [...crossing].toSorted((a, b) => this.#ownerOf(a) - this.#ownerOf(b) || a - b);
    this.#slots = new Map(byOwner.map((index, slot) => [index, slot]));
    this.#bodiless = new Map(bodiless.map((index, i) => [index, byOwner.length + i]));
  }

  split(): SplitModule | Unsplit {
    if (this.#parts === 1) return { whole: 'nothing is left to move', possible: true };
    const isLean = this.#bodiless.size > 0;
    const writers = Array.from({ length: this.#parts }, (_, part) =>
      part === PRIMARY ? this.#primary(isLean) : this.#secondary(part),
    );
    const memory = this.#data && this.#isMemoryApart ? writeMemory(this.#wire, this.#data) : undefined;
    return {
      parts: writers.map(({ bytes }) => bytes),
      memory: memory?.bytes,
      full: isLean ? this.#full(writers) : undefined,
      recipe: makePlan(
        this.#wire,
        piecesInOrder(writers, memory).map(({ copies }) => copies),
      ),
      owners: this.#owners,
      bound: this.#bound,
    };
  }

  get #imported(): number {
    return this.#anatomy.functionImports.length;
  }

  /** Of a declared function. */
  #ownerOf(index: number): number {
    return this.#owners[index - this.#imported] ?? PRIMARY;
  }

  /** The last secondary, where it has the bodies that a lean primary lacks. */
  get #bodies(): number | undefined {
    return this.#bodiless.size > 0 ? this.#parts - 1 : undefined;
  }

  /** Whether a part, of the primaries the full one, has the body of a function. */
  #has(part: number, index: number): boolean {
    return part === this.#bodies ? this.#bodiless.has(index) : this.#ownerOf(index) === part;
  }

  #full(writers: readonly Writer[]): SplitModule['full'] {
    const full = this.#primary(false);
    const parts = [writers.at(PRIMARY), writers.at(-1)].map((writer) => writer?.copies ?? []);
    const copies = parts.map((each) => composeCopies(full.copies, each));
    return { primary: full.bytes, plan: makePlan(full.bytes, copies) };
  }

  #findCalled(instructions: readonly Instructions[], bodiless: ReadonlySet<number>): Set<number>[] {
    const { referenced, start } = this.#anatomy;
    const called = Array.from({ length: this.#parts }, () => new Set<number>());
    const add = (part: number, index: number) => {
      if (index >= this.#imported && this.#ownerOf(index) !== part) called[part]?.add(index);
    };
    for (const [i, { calls }] of instructions.entries()) {
      const part = this.#owners[i] ?? PRIMARY;
      for (const index of calls) add(part, index);
      if (!bodiless.has(this.#imported + i)) continue;
      // Those beside it in the last secondary it calls there.
      for (const index of calls) if (!bodiless.has(index)) add(this.#parts - 1, index);
    }
    for (const index of referenced) add(PRIMARY, index);
    if (start !== undefined) add(PRIMARY, start);
    return called;
  }

  /** @param lean without the bodies that only the last secondary has */
  #primary(lean: boolean): Writer {
    const { sections, state, typeEntries, elementSegments, exports } = this.#anatomy;
    const added = this.#addedExports();
    const edits = new Map<SectionId, Edit | undefined>([
      [SectionId.Type, (content, old) => this.#types(content, old, typeEntries)],
      [
        SectionId.Table,
        (content, old) => {
          this.#extend(content, old, this.#count(SectionId.Table), 2);
          for (const size of [this.#slotCount, 1]) content.u8(...tableType(size));
        },
      ],
      [
        SectionId.Global,
        (content, old) => {
          this.#extend(content, old, this.#count(SectionId.Global), this.#parts - 1);
          for (let part = 1; part < this.#parts; part++) content.u8(I32, MUTABLE, I32_CONST, 1, END);
        },
      ],
      [
        SectionId.Export,
        (content, old) => {
          this.#extend(content, old, exports.length, added.length);
          for (const { name, kind, index } of added) content.name(name).u8(kind).u32(index);
        },
      ],
      [SectionId.Start, undefined],
      [
        SectionId.Element,
        (content, old) => {
          this.#extend(content, old, elementSegments, 1);
          this.#elements(content, PRIMARY, state[Kind.Table].length);
        },
      ],
      [SectionId.Code, (content) => this.#code(content, PRIMARY, lean)],
    ]);
    const data = this.#data;
    if (data) {
      // The count is for functions that refer to segments: there are none.
      edits.set(SectionId.DataCount, undefined);
      const write: Edit = (content) => writeData(content, this.#wire, data);
      edits.set(SectionId.Data, this.#isMemoryApart ? undefined : write);
    }
    if (this.#isMemoryApart) {
      edits.set(SectionId.Import, (content, old) => {
        this.#extend(content, old, this.#count(SectionId.Import), 1);
        for (const type of state[Kind.Memory]) {
          content.name(SPLIT).name(MEMORY_IMPORT).u8(Kind.Memory).copy(type);
        }
      });
      edits.set(SectionId.Memory, undefined);
    }
    const writer = new Writer(this.#wire).copy({ offset: 0, size: PREAMBLE_SIZE });
    const write = (id: SectionId, old: Section | undefined) => {
      const edit = edits.get(id);
      edits.delete(id);
      if (edit) writer.u8(id).sized((content) => edit(content, old));
    };
    /** Sections that the module did not have, up to a rank. */
    const writeMissing = (rank: number) => {
      for (const [other, [id]] of SECTION_ORDER.entries()) if (other < rank) write(id, undefined);
    };
    for (const section of sections) {
      const { id, name, start, offset, size } = section;
      if (id !== SectionId.Custom) writeMissing(SECTION_ORDER.findIndex(([known]) => known === id));
      if (edits.has(id)) write(id, section);
      else if (id !== SectionId.Custom || name !== 'name' || !this.#names(writer, section, PRIMARY)) {
        writer.copy({ offset: start, size: offset + size - start });
      }
    }
    writeMissing(SECTION_ORDER.length);
    if (lean) {
      // V8 shares compiled modules within a process, by their bytes.
      const identity = hashModule(this.#wire, this.#anatomy);
      writer.u8(SectionId.Custom).sized((content) => content.name(IDENTITY_SECTION).name(identity));
    }
    return writer;
  }

  #secondary(part: number): Writer {
    const { sections, typeEntries, state } = this.#anatomy;
    const find = (wanted: SectionId) => sections.find(({ id }) => id === wanted);
    const writer = new Writer(this.#wire).copy({ offset: 0, size: PREAMBLE_SIZE });
    const write = (id: SectionId, edit: (content: Writer) => void) => writer.u8(id).sized(edit);
    write(SectionId.Type, (content) => this.#types(content, find(SectionId.Type), typeEntries));
    write(SectionId.Import, (content) => this.#imports(content));
    const functions = find(SectionId.Function);
    if (functions) write(SectionId.Function, (content) => content.copy(functions));
    write(SectionId.Element, (content) => {
      content.u32(1);
      this.#elements(content, part, state[Kind.Table].length);
    });
    write(SectionId.Code, (content) => this.#code(content, part));
    for (const section of sections) {
      if (section.id === SectionId.Custom && section.name === 'name') this.#names(writer, section, part);
    }
    return writer;
  }

  /** How many elements a section has. */
  #count(id: SectionId): number {
    const section = this.#anatomy.sections.find((each) => each.id === id);
    return section ? this.#cursor(section).u32('a count') : 0;
  }

  #cursor({ offset, size }: Range): Cursor {
    return new Cursor(this.#wire, offset, offset + size, 'section');
  }

  /** A vector of a section, with room for more elements, which are to follow. */
  #extend(content: Writer, old: Section | undefined, count: number, added: number): void {
    content.u32(count + added);
    if (!old) return;
    const cursor = this.#cursor(old);
    cursor.u32('a count');
    content.copy({ offset: cursor.offset, size: cursor.left });
  }

  /** With the type of the hook as the last. */
  #types(content: Writer, old: Section | undefined, entries: number): void {
    this.#extend(content, old, entries, 1);
    content.u8(FUNC, HOOK_PARAMETERS, ...Array.from({ length: HOOK_PARAMETERS }, () => I32), 0);
  }

  /** What the primary exports besides its own exports. */
  #addedExports(): { name: string; kind: Kind; index: number }[] {
    const { state, exports, start } = this.#anatomy;
    const added = STATE_KINDS.flatMap((kind) =>
      state[kind].flatMap((_, index) =>
        exports.some((each) => each.kind === kind && each.index === index)
          ? []
          : [{ name: addedName(kind, index), kind, index }],
      ),
    );
    const tables = state[Kind.Table].length;
    const globals = state[Kind.Global].length;
    return [
      ...added,
      { name: FUNCTIONS_EXPORT, kind: Kind.Table, index: tables },
      { name: HOOK_EXPORT, kind: Kind.Table, index: tables + 1 },
      ...Array.from({ length: this.#parts - 1 }, (_, i) => ({
        name: absentExport(i + 1),
        kind: Kind.Global,
        index: globals + i,
      })),
      ...(start === undefined ? [] : [{ name: START_EXPORT, kind: Kind.Function, index: start }]),
    ];
  }

  /** Of a secondary: functions as in the primary, then all state, which gets the indices that it has in the primary. */
  #imports(content: Writer): void {
    const { state, exports, functionImports } = this.#anatomy;
    const counts = STATE_KINDS.map((kind) => state[kind].length);
    content.u32(functionImports.length + counts.reduce((a, b) => a + b, 0) + 2 + this.#parts - 1);
    for (const entry of functionImports) content.copy(entry);
    for (const kind of STATE_KINDS) {
      for (const [index, type] of state[kind].entries()) {
        const own = exports.find((each) => each.kind === kind && each.index === index);
        content
          .name(SPLIT)
          .name(own?.name ?? addedName(kind, index))
          .u8(kind)
          .copy(type);
      }
    }
    content
      .name(SPLIT)
      .name(FUNCTIONS_EXPORT)
      .u8(Kind.Table, ...tableType(this.#slotCount));
    content
      .name(SPLIT)
      .name(HOOK_EXPORT)
      .u8(Kind.Table, ...tableType(1));
    for (let part = 1; part < this.#parts; part++) {
      content.name(SPLIT).name(absentExport(part)).u8(Kind.Global, I32, MUTABLE);
    }
  }

  /** The segment that puts functions of a part into their slots. */
  #elements(content: Writer, part: number, table: number): void {
    const own =
      part === this.#bodies
        ? [...this.#bodiless]
        : [...this.#slots].filter(([index]) => this.#ownerOf(index) === part);
    const [, first = 0] = own[0] ?? [];
    content.u32(ACTIVE_IN_TABLE).u32(table).u8(I32_CONST).s32(first).u8(END, FUNCTIONS).u32(own.length);
    for (const [index] of own) content.u32(index);
  }

  get #slotCount(): number {
    return this.#slots.size + this.#bodiless.size;
  }

  #code(content: Writer, part: number, lean = false): void {
    const { bodies, sections } = this.#anatomy;
    content.u32(bodies.length);
    const code = sections.find(({ id }) => id === SectionId.Code);
    if (!code) return;
    const cursor = this.#cursor(code);
    cursor.u32('a count');
    // With the sizes that precede them, as they are written.
    let start = cursor.offset;
    for (const [i, { offset, size }] of bodies.entries()) {
      const index = this.#imported + i;
      const slot = this.#bodiless.get(index);
      if (lean && slot !== undefined) content.append(this.#stub(index, this.#parts - 1, slot));
      else if (this.#has(part, index)) content.copy({ offset: start, size: offset + size - start });
      else if (this.#called[part]?.has(index)) {
        content.append(this.#stub(index, this.#ownerOf(index), this.#slots.get(index) ?? 0));
      } else content.u8(3, 0, UNREACHABLE, END);
      start = offset + size;
    }
  }

  /** The body of a function that is in another part. */
  #stub(index: number, owner: number, slot: number): Writer {
    const { functionTypes, state, types } = this.#anatomy;
    const type = functionTypes[index] ?? 0;
    const tables = state[Kind.Table].length;
    return new Writer(this.#wire).sized((body) => {
      // No locals.
      body.u8(0);
      if (owner !== PRIMARY) {
        body
          .u8(GLOBAL_GET)
          .u32(state[Kind.Global].length + owner - 1)
          .u8(IF, NO_VALUE, I32_CONST)
          .s32(owner)
          .u8(I32_CONST)
          .s32(index)
          .u8(I32_CONST, 0, CALL_INDIRECT)
          .u32(types)
          .u32(tables + 1)
          .u8(END);
      }
      const parameters = this.#anatomy.parameters(type);
      for (let local = 0; local < parameters; local++) body.u8(LOCAL_GET).u32(local);
      body
        .u8(I32_CONST)
        .s32(slot)
        .u8(this.#tailCalls ? RETURN_CALL_INDIRECT : CALL_INDIRECT)
        .u32(type)
        .u32(tables)
        .u8(END);
    });
  }

  /** @returns false where the name section cannot be read */
  #names(writer: Writer, section: Section, part: number): boolean {
    const cursor = this.#cursor(section);
    cursor.name('the name of a custom section');
    const content = { offset: cursor.offset, size: cursor.left };
    const names = new Writer(this.#wire);
    const isPrimary = part === PRIMARY;
    const named = {
      isPrimary,
      hasData: isPrimary && !this.#data,
      isOwn: (index: number) => this.#has(part, index),
    };
    if (!splitNames(this.#wire, content, named, names)) return false;
    writer.u8(SectionId.Custom).sized((to) => to.name(section.name).append(names));
    return true;
  }
}

/** Bytes that a stub takes, about. */
const STUB_SIZE = 32;

/**
 * Which hot functions need no body in the primary. Not those that are bound to it; and not those that a function without native code calls
 * there: V8 would take their stubs for them when it optimises that one.
 *
 * @param least bytes of bodies: with less there are none
 * @returns declared functions, ascending
 */
function findBodiless(
  sizes: readonly number[],
  calls: readonly (readonly number[])[],
  bound: readonly boolean[],
  hot: readonly boolean[],
  stays: readonly boolean[],
  least: number,
): number[] {
  const called = new Set(calls.flatMap((each, i) => (stays[i] && !hot[i] ? each : [])));
  const found = sizes.flatMap((size, i) =>
    hot[i] && !bound[i] && size > STUB_SIZE && !called.has(i) ? [i] : [],
  );
  const spared = found.reduce((sum, i) => sum + (sizes[i] ?? 0), 0);
  return spared < least ? [] : found;
}

type Edit = (content: Writer, old: Section | undefined) => void;

function tableType(size: number): number[] {
  return [FUNCREF, WITH_MAXIMUM, ...encodeUnsigned(size), ...encodeUnsigned(size)];
}

function addedName(kind: StateKind, index: number): string {
  return `${SPLIT}:${KIND_NAMES[kind]}${index}`;
}
