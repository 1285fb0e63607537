import type { Cursor } from './cursor.ts';
import { skipHeapType } from './value-types.ts';

const END = 0x0b;
const I32_CONST = 0x41;
const I64_CONST = 0x42;
const F32_CONST = 0x43;
const F64_CONST = 0x44;
const GLOBAL_GET = 0x23;
const REF_NULL = 0xd0;
const REF_FUNC = 0xd2;
const GC_PREFIX = 0xfb;
const VECTOR_PREFIX = 0xfd;
const V128_CONST = 12;

/** The arithmetic that constant expressions may have: add, sub and mul of i32 and i64. */
const ARITHMETIC: ReadonlySet<number> = new Set([0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e]);

/** How many indices or counts follow, by the number after {@link GC_PREFIX}. */
const GC_IMMEDIATES: ReadonlyMap<number, number> = new Map([
  [0, 1], // struct.new
  [1, 1], // struct.new_default
  [6, 1], // array.new
  [7, 1], // array.new_default
  [8, 2], // array.new_fixed
  [26, 0], // any.convert_extern
  [27, 0], // extern.convert_any
  [28, 0], // ref.i31
]);

/**
 * Skips the expression that initializes a global or a table. To find its end, the function needs the immediates
 * of every instruction: https://webassembly.github.io/spec/core/valid/instructions.html#constant-expressions
 *
 * @param onFunction receives the index of each function that the expression refers to
 */
export function skipConstantExpression(cursor: Cursor, onFunction?: (index: number) => void): void {
  for (;;) {
    const offset = cursor.offset;
    const code = cursor.u8('an instruction');
    if (code === END) return;
    if (code === REF_FUNC) {
      const index = cursor.u32('a function index');
      onFunction?.(index);
    } else if (!ARITHMETIC.has(code)) skipImmediates(cursor, code, offset);
  }
}

function skipImmediates(cursor: Cursor, code: number, offset: number): void {
  switch (code) {
    case I32_CONST:
      return cursor.skipSigned(32, 'an i32 constant');
    case I64_CONST:
      return cursor.skipSigned(64, 'an i64 constant');
    case F32_CONST:
      return cursor.skip(4, 'an f32 constant');
    case F64_CONST:
      return cursor.skip(8, 'an f64 constant');
    case GLOBAL_GET:
      cursor.u32('a global index');
      return;
    case REF_NULL:
      return skipHeapType(cursor);
    case VECTOR_PREFIX:
      if (cursor.u32('an instruction') === V128_CONST) return cursor.skip(16, 'a v128 constant');
      break;
    case GC_PREFIX: {
      const immediates = GC_IMMEDIATES.get(cursor.u32('an instruction'));
      if (immediates === undefined) break;
      for (let left = immediates; left > 0; left--) cursor.u32('an index');
      return;
    }
    default:
      break;
  }
  cursor.unsupported('an instruction of a constant expression', code, offset);
}
