/** Generates modules of any size. */

/** Functions in one call chain: a longer chain would overflow the stack. */
const CHAIN = 300;

/** Encodes an unsigned LEB128 number. */
function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}

const [LOCAL_GET, LOCAL_SET, I32_CONST, CALL, END] = [0x20, 0x21, 0x41, 0x10, 0x0b];

/** Encodes a function body without local variables that returns its parameter. */
function functionBody(instructions: readonly number[]): Uint8Array {
  const code = [0, ...instructions, LOCAL_GET, 0, END];
  return Uint8Array.from([...leb(code.length), ...code]);
}

/** Encodes a call that passes the parameter and stores the result in it. */
function callOf(index: number): number[] {
  return [LOCAL_GET, 0, CALL, ...leb(index), LOCAL_SET, 0];
}

/** Encodes a body of 270 bytes: loads, stores and arithmetic, and optionally a call. */
function workBody(index: number, next: number | undefined): Uint8Array {
  const [I32_LOAD, I32_STORE, I32_ADD, I32_MUL, I32_AND, I32_XOR] = [0x28, 0x36, 0x6a, 0x6c, 0x71, 0x73];
  const address = [LOCAL_GET, 0, I32_CONST, 0xff, 0x07, I32_AND];
  const step = (offset: number) => {
    const load = [I32_LOAD, 2, offset, I32_CONST, index & 0x3f, I32_ADD, LOCAL_GET, 0, I32_MUL];
    const argument = [LOCAL_GET, 0, I32_CONST, 5, I32_ADD, I32_CONST, offset, I32_XOR, LOCAL_SET, 0];
    return [...address, ...address, ...load, I32_STORE, 2, 0, ...argument];
  };
  const steps = Array.from({ length: 8 }, (_, place) => step(place * 4)).flat();
  return functionBody([...steps, ...(next === undefined ? [] : callOf(next))]);
}

const BYTES_PER_FUNCTION = workBody(0, 1000).length + 1;

function section(id: number, ...contents: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.concat(contents);
  return Buffer.concat([Uint8Array.from([id, ...leb(bytes.length)]), bytes]);
}

/**
 * Generates a module of about `size` bytes. It exports `run: (i32) → i32`.
 *
 * @param stride 1: all functions run; 3: every third runs, as at the startup of sql.js (641 of 1968)
 */
export function generateModule(size: number, stride: number): Uint8Array {
  const count = Math.max(1, Math.round(size / BYTES_PER_FUNCTION));
  // Function 0 calls the first of each chain.
  const heads = Array.from({ length: Math.ceil(count / CHAIN) }, (_, chain) => 1 + chain * CHAIN);
  const bodies = Array.from({ length: count }, (_, index) => {
    const inChain = (index % CHAIN) + stride < CHAIN && index + stride < count;
    return workBody(index, inChain ? 1 + index + stride : undefined);
  });
  const functions = count + 1;
  return Buffer.concat([
    Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]),
    section(1, Uint8Array.from([1, 0x60, 1, 0x7f, 1, 0x7f])),
    section(3, Uint8Array.from(leb(functions)), new Uint8Array(functions)),
    section(5, Uint8Array.from([1, 0, 1])),
    section(7, Uint8Array.from([1, 3, ...Buffer.from('run'), 0, 0])),
    section(10, Uint8Array.from(leb(functions)), functionBody(heads.flatMap(callOf)), Buffer.concat(bodies)),
  ]);
}
