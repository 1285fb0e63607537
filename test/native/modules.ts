/** Modules of various sizes that compile quickly. */
import { SAMPLE_WAT } from '../v8/modules.ts';
import { assemble } from '../wasm/support.ts';

const FUNCTIONS = 1500;

/** `SAMPLE_WAT` with many more functions and 60 KB of data. It computes the same results. */
export function bulkySample(): Uint8Array {
  const functions = Array.from(
    { length: FUNCTIONS },
    (_, index) => `
  (func (export "f${index}") (param i32) (result i32)
    local.get 0 i32.const ${index * 7919} i32.mul i32.const ${index} i32.rotl call $increment)`,
  );
  const data = `(data (i32.const 4096) "${'0123456789abcdef'.repeat(3750)}")`;
  return assemble(SAMPLE_WAT.replace(/\)$/, `${data}${functions.join('')})`));
}

/** `SAMPLE_WAT` with 6 MB of data, so that reading its wire bytes takes a few milliseconds. */
export function largeSample(): Uint8Array {
  return assemble(SAMPLE_WAT.replace(/\)$/, `(data "${'0123456789abcdef'.repeat(375_000)}"))`));
}

/** `SAMPLE_WAT` with so much native code (more than 40 MB) that asynchronous loads deserialize it in a worker. */
export function hugeSample(): Uint8Array {
  const calls = 'local.get 0 local.get 0 i32.const 1 i32.and call_indirect (type $unary) local.set 0 '.repeat(
    100,
  );
  const functions = Array.from(
    { length: 5500 },
    (_, index) => `
  (func (export "f${index}") (param i32) (result i32) ${calls} local.get 0 i32.const ${index} i32.add)`,
  );
  return assemble(SAMPLE_WAT.replace(/\)$/, `${functions.join('')})`));
}
