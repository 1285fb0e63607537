/**
 * `npm run bench:threshold`: from which size on native code pays. Generated modules of 16 KiB to 1 MiB, plain against
 * precompiled, from before the file is touched until the first result.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createScript, runBench } from './bench.ts';

/** KiB. */
const SIZES = [16, 32, 64, 128, 256, 512, 1024];

/** Every third function runs, as of sql.js at its start (641 of 1968), or all of them: labels and strides. */
const SHARES = [
  ['a third runs', 3],
  ['all run', 1],
] as const;

/** An unsigned LEB128 number. */
function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}

function section(id: number, contents: readonly number[]): number[] {
  return [id, ...leb(contents.length), ...contents];
}

/** 270 bytes: loads, stores and arithmetic in one line, then a call of the function that is `stride` further on. */
function functionBody(index: number, count: number, stride: number): number[] {
  const [I32_CONST, LOCAL_GET, LOCAL_SET, CALL, END] = [0x41, 0x20, 0x21, 0x10, 0x0b];
  const [I32_LOAD, I32_STORE, I32_ADD, I32_MUL, I32_AND, I32_XOR] = [0x28, 0x36, 0x6a, 0x6c, 0x71, 0x73];
  const address = [LOCAL_GET, 0, I32_CONST, 0xff, 0x07, I32_AND];
  const step = (offset: number) => {
    const store = [
      I32_LOAD,
      2,
      offset,
      I32_CONST,
      index & 0x3f,
      I32_ADD,
      LOCAL_GET,
      0,
      I32_MUL,
      I32_STORE,
      2,
      0,
    ];
    const next = [LOCAL_GET, 0, I32_CONST, 5, I32_ADD, I32_CONST, offset, I32_XOR, LOCAL_SET, 0];
    return [...address, ...address, ...store, ...next];
  };
  const steps = Array.from({ length: 8 }, (_, place) => step(place * 4)).flat();
  const next = index + stride < count ? [LOCAL_GET, 0, CALL, ...leb(index + stride), LOCAL_SET, 0] : [];
  const code = [0, ...steps, ...next, LOCAL_GET, 0, END];
  return [...leb(code.length), ...code];
}

/** A module with so many functions; it exports the first of them. */
function generateModule(count: number, stride: number): Uint8Array {
  const bodies = Array.from({ length: count }, (_, index) => functionBody(index, count, stride));
  const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  return Uint8Array.from([
    ...header,
    ...section(1, [1, 0x60, 1, 0x7f, 1, 0x7f]),
    ...section(3, [...leb(count), ...Array.from({ length: count }, () => 0)]),
    ...section(5, [1, 0, 1]),
    ...section(7, [1, 3, ...Buffer.from('run'), 0, 0]),
    ...section(10, [...leb(count), ...bodies.flat()]),
  ]);
}

const MEASURE = `
import { fromFile } from './runtime/node-plain.js';
import { pathToFileURL } from 'node:url';
const start = performance.now();
const loader = variant === 'plain' ? fromFile(pathToFileURL(wasm).href) : create();
const module = await loader.load();
const { exports } = await WebAssembly.instantiate(module, {});
exports.run(1);
console.log(JSON.stringify({ total: performance.now() - start }));
`;

await runBench({
  name: 'bench:threshold',
  description: 'From which size on native code pays.',
  variants: ['plain', 'precompiled'],
  async cases(folder, nodes, progress) {
    const bytesPerFunction = functionBody(0, 1000, 1).length + 1;
    const cases = [];
    for (const size of SIZES) {
      progress.update(`Compiling ${size} KiB …`);
      const count = Math.round((size * 1024) / bytesPerFunction);
      for (const [share, stride] of SHARES) {
        const place = join(folder, `${size}-${stride}`);
        const wasm = join(folder, `${size}-${stride}.wasm`);
        await writeFile(wasm, generateModule(count, stride));
        const script = await createScript(place, wasm, nodes, MEASURE);
        for (const node of nodes) cases.push({ label: `${size} KiB, ${share}`, node, script });
      }
    }
    return cases;
  },
  legend: `Milliseconds, medians of fresh processes. Ratio: precompiled to plain, median of the pairs (least–greatest).
total  from before the file is touched until the first result`,
});
