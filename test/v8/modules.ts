/** Hand-written modules for tests of single instructions or numbers. */
import { assemble } from '../wasm/support.ts';

/** The result of `constant`. Easy to find in machine code, in which it is an immediate operand (little-endian). */
export const CONSTANT = 1_234_567_890;

/**
 * A module with an imported function, a loop, a jump table, an indirect call, floats and data. `peek` reads memory at
 * its argument.
 */
export const SAMPLE_WAT = `
(module $sample
  (import "env" "twice" (func $twice (param i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "\\07\\00\\00\\00")
  (table funcref (elem $increment $square))
  (type $unary (func (param i32) (result i32)))
  (func $constant (export "constant") (result i32) i32.const ${CONSTANT})
  (func $peek (export "peek") (param i32) (result i32) local.get 0 i32.load)
  (func $quadruple (export "quadruple") (param i32) (result i32) local.get 0 call $twice call $twice)
  (func $sum (export "sum") (param $n i32) (result i32) (local $total i32)
    loop $next
      local.get $total local.get $n i32.add local.set $total
      local.get $n i32.const 1 i32.sub local.tee $n
      br_if $next
    end
    local.get $total)
  (func $choose (export "choose") (param i32) (result i32)
    block $e block $d block $c block $b block $a
      local.get 0
      br_table $a $b $c $d $a $b $c $d $a $b $c $d $e
    end i32.const 11 return
    end i32.const 23 return
    end i32.const 37 return
    end i32.const 41 return
    end i32.const 53)
  (func $increment (param i32) (result i32) local.get 0 i32.const 1 i32.add)
  (func $square (param i32) (result i32) local.get 0 local.get 0 i32.mul)
  (func $apply (export "apply") (param i32 i32) (result i32)
    local.get 1 local.get 0 call_indirect (type $unary))
  (func $root (export "root") (param f64) (result f64) local.get 0 f64.sqrt f64.floor)
)`;

/** No imports, no memory, one function. */
export const SMALLEST_WAT = `(module (func (export "run") (result i32) i32.const 7))`;

/** Differs from `SAMPLE_WAT` in a number only; all its segments have the same sizes. */
export const OTHER_CONSTANT = CONSTANT + 1;
export const OTHER_SAMPLE_WAT = SAMPLE_WAT.replace(String(CONSTANT), String(OTHER_CONSTANT));

export const sample = (): Uint8Array => assemble(SAMPLE_WAT);
export const otherSample = (): Uint8Array => assemble(OTHER_SAMPLE_WAT);
export const smallest = (): Uint8Array => assemble(SMALLEST_WAT);

/** JavaScript for the processes under test: returns the results of a module of `SAMPLE_WAT` as an array. */
export const USE_SAMPLE = `
export function use(module) {
  const { exports } = new WebAssembly.Instance(module, { env: { twice: (value) => value * 2 } });
  const { constant, peek, quadruple, sum, choose, apply, root } = exports;
  let trap;
  try {
    peek(70000);
  } catch (error) {
    trap = error.constructor.name + ': ' + error.message;
  }
  const choices = [0, 1, 2, 3, 7, 99].map((index) => choose(index));
  return [constant(), peek(16), quadruple(21), sum(1000), choices, apply(0, 41), apply(1, 12), root(1000), trap];
}
`;

/** The results of plain WebAssembly. */
export const SAMPLE_RESULT = [
  CONSTANT,
  7,
  84,
  500_500,
  [11, 23, 37, 41, 41, 53],
  42,
  144,
  31,
  'RuntimeError: memory access out of bounds',
];
