import { wat } from './wat.ts';

/**
 * Returns a module whose `start` executes only `$used` and itself. Function 0 is imported; the given functions
 * come next, then `$used`, `$unused`, `$start`.
 */
export function watOf(...extra: string[]): Uint8Array {
  return wat(`(module
    (import "./host.js" "seven" (func $seven (result i32)))
    ${extra.join('\n')}
    (func $used (result i32) call $seven i32.const 6 i32.mul)
    (func $unused (result i32) i32.const 13)
    (func $start (result i32) call $used)
    (export "start" (func $start))
    (export "unused" (func $unused)))`);
}
