/**
 * Reads the instructions of a function for splitting: which functions it calls, and whether it is bound to the
 * instance that it runs in. To find the end of an instruction, it needs the instruction's immediates. One table
 * has those of all instructions in the spec 3.0
 * (https://webassembly.github.io/spec/core/binary/instructions.html, appendix "Index of Instructions"). It also
 * has those of threads (https://github.com/WebAssembly/threads), and of the exceptions that preceded 3.0. An
 * instruction that is not in the table makes the module unsupported.
 *
 * No library does this well enough: binary/module.ts compares them. This reader takes 0.3 s for the 16 MB of
 * swc's code.
 */
import type { FunctionBody } from '../binary/code.ts';
import { Cursor } from '../binary/cursor.ts';
import { skipHeapType, skipValueType } from '../binary/value-types.ts';

/** What the instructions of a function refer to. */
export interface Instructions {
  /** Indices of the functions that it calls directly. */
  calls: ReadonlySet<number>;
  /**
   * The first instruction that binds the function to its instance. Segments and the identity of functions
   * belong to one instance.
   */
  boundBy: string | undefined;
  /** Whether it has tail calls. */
  hasTailCalls: boolean;
  /** Whether it refers to data segments. */
  usesDataSegments: boolean;
}

/**
 * The immediates of an instruction, a letter for each:
 *
 *  - `u` an unsigned index, count or flags; `d` the index of a data segment
 *  - `f` the index of a called function; `r` that of a tail call; `T` no immediate, but the instruction is a
 *    tail call
 *  - `i` a signed constant of 32 bits; `I` one of 64 bits
 *  - `b` a byte; `4`, `8` and `x` 4, 8 and 16 bytes
 *  - `m` a memory argument; `t` a block type; `h` a heap type; `v` value types; `l` labels; `c` catch clauses
 *
 * If the instruction binds the function to its instance, `!` and the instruction's name follow.
 */
type Immediates = string;

const ONE_BYTE: readonly (readonly [first: number, last: number, Immediates])[] = [
  [0x00, 0x01, ''], // unreachable, nop
  [0x02, 0x04, 't'], // block, loop, if
  [0x05, 0x05, ''], // else
  [0x06, 0x06, 't'], // try (before 3.0)
  [0x07, 0x09, 'u'], // catch (before 3.0), throw, rethrow (before 3.0)
  [0x0a, 0x0b, ''], // throw_ref, end
  [0x0c, 0x0d, 'u'], // br, br_if
  [0x0e, 0x0e, 'lu'], // br_table
  [0x0f, 0x0f, ''], // return
  [0x10, 0x10, 'f'], // call
  [0x11, 0x11, 'uu'], // call_indirect
  [0x12, 0x12, 'r'], // return_call
  [0x13, 0x13, 'uuT'], // return_call_indirect
  [0x14, 0x14, 'u'], // call_ref
  [0x15, 0x15, 'uT'], // return_call_ref
  [0x18, 0x18, 'u'], // delegate (before 3.0)
  [0x19, 0x1b, ''], // catch_all (before 3.0), drop, select
  [0x1c, 0x1c, 'v'], // select with types
  [0x1f, 0x1f, 'tc'], // try_table
  [0x20, 0x26, 'u'], // local.*, global.*, table.get, table.set
  [0x28, 0x3e, 'm'], // loads and stores
  [0x3f, 0x40, 'u'], // memory.size, memory.grow
  [0x41, 0x41, 'i'], // i32.const
  [0x42, 0x42, 'I'], // i64.const
  [0x43, 0x43, '4'], // f32.const
  [0x44, 0x44, '8'], // f64.const
  [0x45, 0xc4, ''], // numbers
  [0xd0, 0xd0, 'h'], // ref.null
  [0xd1, 0xd1, ''], // ref.is_null
  [0xd2, 0xd2, 'u!ref.func'],
  [0xd3, 0xd4, ''], // ref.eq, ref.as_non_null
  [0xd5, 0xd6, 'u'], // br_on_null, br_on_non_null
];

const PREFIXED: Readonly<
  Record<number, readonly (readonly [first: number, last: number, Immediates])[] | undefined>
> = {
  // Structs, arrays and references.
  0xfb: [
    [0, 1, 'u'], // struct.new, struct.new_default
    [2, 5, 'uu'], // struct.get*, struct.set
    [6, 7, 'u'], // array.new, array.new_default
    [8, 8, 'uu'], // array.new_fixed
    [9, 9, 'ud!array.new_data'],
    [10, 10, 'uu!array.new_elem'],
    [11, 14, 'u'], // array.get*, array.set
    [15, 15, ''], // array.len
    [16, 16, 'u'], // array.fill
    [17, 17, 'uu'], // array.copy
    [18, 18, 'ud!array.init_data'],
    [19, 19, 'uu!array.init_elem'],
    [20, 23, 'h'], // ref.test, ref.cast
    [24, 25, 'buhh'], // br_on_cast, br_on_cast_fail
    [26, 30, ''], // any.convert_extern, extern.convert_any, ref.i31, i31.get*
  ],
  // Numbers, memories and tables.
  0xfc: [
    [0, 7, ''], // *.trunc_sat_*
    [8, 8, 'du!memory.init'],
    [9, 9, 'd!data.drop'],
    [10, 10, 'uu'], // memory.copy
    [11, 11, 'u'], // memory.fill
    [12, 12, 'uu!table.init'],
    [13, 13, 'u!elem.drop'],
    [14, 14, 'uu'], // table.copy
    [15, 17, 'u'], // table.grow, table.size, table.fill
  ],
  // Vectors. The spec leaves the missing numbers undefined.
  0xfd: [
    [0, 11, 'm'], // loads and stores
    [12, 13, 'x'], // v128.const, i8x16.shuffle
    [14, 20, ''], // i8x16.swizzle, splats
    [21, 34, 'b'], // lanes
    [35, 83, ''],
    [84, 91, 'mb'], // loads and stores of lanes
    [92, 93, 'm'], // v128.load32_zero, v128.load64_zero
    [94, 153, ''],
    [155, 161, ''],
    [163, 164, ''],
    [167, 174, ''],
    [177, 177, ''],
    [181, 186, ''],
    [188, 193, ''],
    [195, 196, ''],
    [199, 206, ''],
    [209, 209, ''],
    [213, 225, ''],
    [227, 237, ''],
    [239, 255, ''],
    [256, 275, ''], // relaxed
  ],
  // Threads.
  0xfe: [
    [0x00, 0x02, 'm'], // memory.atomic.*
    [0x03, 0x03, 'b'], // atomic.fence
    [0x10, 0x4e, 'm'],
  ],
};

interface Instruction {
  /** The letters of {@link Immediates}. */
  kinds: readonly string[];
  bound: string | undefined;
}

function tableOf(
  entries: readonly (readonly [first: number, last: number, Immediates])[],
): (Instruction | undefined)[] {
  const table: (Instruction | undefined)[] = [];
  for (const [first, last, immediates] of entries) {
    const [kinds = '', bound] = immediates.split('!');
    for (let code = first; code <= last; code++) table[code] = { kinds: [...kinds], bound };
  }
  return table;
}

const INSTRUCTIONS = tableOf(ONE_BYTE);
const INSTRUCTIONS_AFTER = new Map(
  Object.entries(PREFIXED).map(([prefix, entries]) => [Number(prefix), tableOf(entries ?? [])]),
);

/** A bit of the alignment in a memory argument: a memory index follows. */
const HAS_MEMORY = 0x40;

/**
 * A block type without parameters and results. Codes from here to the next constant are value types, others
 * type indices.
 */
const EMPTY = 0x40;
const LAST_ONE_BYTE = 0x7f;

/**
 * The last code of catch clauses with a tag (`catch`, `catch_ref`), and of those without (`catch_all`,
 * `catch_all_ref`).
 */
const CATCH_REF = 1;
const CATCH_ALL_REF = 3;

/**
 * Reads the instructions of one function.
 *
 * @throws WasmPrecompileError `UNSUPPORTED_WASM` for an unknown instruction; `INVALID_WASM` if the body ends
 *   within an instruction
 */
export function readInstructions(
  bytes: Uint8Array,
  { offset, size }: FunctionBody,
  file?: string,
): Instructions {
  const cursor = new Cursor(bytes, offset, offset + size, 'function body', file);
  const calls = new Set<number>();
  let bound: string | undefined;
  let tailCalls = false;
  let dataSegments = false;
  cursor.skipVector('locals', 2, () => {
    cursor.u32('a count of locals');
    skipValueType(cursor);
  });
  while (cursor.left > 0) {
    const instruction = readInstruction(cursor);
    bound ??= instruction.bound;
    for (const kind of instruction.kinds) {
      if (kind === 'f' || kind === 'r') calls.add(cursor.u32('a function index'));
      else if (kind !== 'T') skipImmediate(cursor, kind);
      if (kind === 'r' || kind === 'T') tailCalls = true;
      if (kind === 'd') dataSegments = true;
    }
  }
  return { calls, boundBy: bound, hasTailCalls: tailCalls, usesDataSegments: dataSegments };
}

function readInstruction(cursor: Cursor): Instruction {
  const start = cursor.offset;
  const code = cursor.u8('an instruction');
  const prefixed = code > 0xf0 ? INSTRUCTIONS_AFTER.get(code) : undefined;
  const instruction = prefixed ? prefixed[cursor.u32('an instruction')] : INSTRUCTIONS[code];
  return instruction ?? cursor.unsupported('a known instruction', code, start);
}

function skipImmediate(cursor: Cursor, kind: string): void {
  switch (kind) {
    case 'u':
    case 'd':
      cursor.u32('an immediate');
      return;
    case 'i':
      return cursor.skipSigned(32, 'an i32 constant');
    case 'I':
      return cursor.skipSigned(64, 'an i64 constant');
    case 'm':
      if (cursor.u32('an alignment') & HAS_MEMORY) cursor.u32('a memory index');
      cursor.u64('an offset');
      return;
    case 'b':
      return cursor.skip(1, 'an immediate');
    case '4':
      return cursor.skip(4, 'an f32 constant');
    case '8':
      return cursor.skip(8, 'an f64 constant');
    case 'x':
      return cursor.skip(16, 'a v128 constant');
    case 't':
      return skipBlockType(cursor);
    case 'h':
      return skipHeapType(cursor);
    case 'v':
      return cursor.skipVector('value types', 1, () => skipValueType(cursor));
    case 'l':
      return cursor.skipVector('labels', 1, () => cursor.u32('a label'));
    default:
      return cursor.skipVector('catch clauses', 2, () => skipCatchClause(cursor));
  }
}

function skipBlockType(cursor: Cursor): void {
  const next = cursor.peek() ?? 0;
  if (next === EMPTY) cursor.skip(1, 'a block type');
  else if (next > EMPTY && next <= LAST_ONE_BYTE) skipValueType(cursor);
  else cursor.s33('a block type');
}

function skipCatchClause(cursor: Cursor): void {
  const offset = cursor.offset;
  const kind = cursor.u8('a catch clause');
  if (kind > CATCH_ALL_REF) cursor.unsupported('a catch clause', kind, offset);
  if (kind <= CATCH_REF) cursor.u32('a tag index');
  cursor.u32('a label');
}
