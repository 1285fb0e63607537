/** The native addon fills memories. It neither crashes nor writes elsewhere for any contents of a segment. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../v8/support.ts';
import { bulkySample } from './modules.ts';
import { createProgram, NODES, type Program, run } from './support.ts';

const folder = temporaryFolder();
const SAMPLE = path.join(folder, 'sample.wasm');
writeFileSync(SAMPLE, bulkySample());

/** Two runs: five bytes at 10, three at the end of the first page. */
const RUNS = [10, 5, 65_533, 3];
const WORDS = [1, 0xffff_ffff, 2, ...RUNS];
const CONTENT = 'abcdexyz';

/** For scripts: `fill` writes a segment to a file, and fills a memory of one page with it. */
const PREPARE = `
const { crc32 } = await import('node:zlib');
const { createMemory, fillMemory } = await import('./runtime/shared/memory-image.js');
const segmentOf = (words, content) => Buffer.concat([Buffer.from(Uint32Array.from(words).buffer), Buffer.from(content)]);
const segmentFile = new URL(import.meta.url + '.segment');
const fill = (bytes, size = bytes.length, offset = 0) => {
  fs.writeFileSync(segmentFile, bytes);
  const memory = createMemory({ initial: 1, maximum: 0xffffffff });
  const wait = addon.fill(segmentFile.pathname, { offset, size }, memory.buffer);
  return [wait(), Buffer.from(memory.buffer)];
};
const good = segmentOf(${JSON.stringify(WORDS)}, ${JSON.stringify(CONTENT)});
`;

describe.each(NODES)('Node $version', ({ node }) => {
  let program: Program;
  beforeAll(async () => {
    program = await createProgram(path.join(folder, 'sample'), SAMPLE);
  });

  const prints = async (script: string, options = {}) => {
    const { end, printed, stderr } = await run(program, PREPARE + script, { node, ...options });
    expect(end, stderr).toBe(0);
    return printed;
  };

  it('copies the same bytes as the JavaScript implementation, and returns the checksum', async () => {
    expect(
      await prints(`
const [crc, bytes] = fill(good);
const own = createMemory({ initial: 1, maximum: 1 });
fillMemory(own, good);
print([Buffer.compare(bytes, Buffer.from(own.buffer)), bytes.toString('latin1', 10, 15), bytes.toString('latin1', 65533)]);
print(crc === crc32(good));
print(fill(Buffer.concat([Buffer.alloc(65536), good]), good.length, 65536)[0] === crc);`),
    ).toEqual([[0, 'abcde', 'xyz'], true, true]);
  });

  it.each([
    ['a segment without bytes', [], '', undefined],
    ['an incomplete header', [1, 2], '', undefined],
    ['fewer runs than the header says', [1, 1, 3, ...RUNS], '', undefined],
    ['far fewer runs than the header says', [1, 1, 0xffff_ffff, ...RUNS], CONTENT, undefined],
    ['too little content', WORDS, 'abcdexy', undefined],
    ['an address beyond the end of memory', [1, 1, 1, 65_536, 1], 'a', undefined],
    ['a run across the end of memory', [1, 1, 1, 65_535, 2], 'ab', undefined],
    ['the highest address and size', [1, 1, 1, 0xffff_ffff, 0xffff_ffff], 'ab', undefined],
    ['an empty run at the end of memory', [1, 1, 1, 65_536, 0], '', expect.any(Number)],
    ['a segment without runs', [1, 1, 0], 'abc', expect.any(Number)],
  ])('handles %s', async (_, words, content, crc) => {
    expect(
      await prints(`
const segment = segmentOf(${JSON.stringify(words)}, ${JSON.stringify(content)});
print([fill(segment)[0] ?? null, fill(good)[1].toString('latin1', 10, 15)]);`),
    ).toEqual([[crc ?? null, 'abcde']]);
  });

  it('returns undefined for a file that is too short, and throws for a missing one', async () => {
    expect(
      await prints(`
print(fill(good, good.length + 1)[0] ?? null);
print(fill(good, good.length, 1)[0] ?? null);
fs.rmSync(segmentFile);
const wait = addon.fill(segmentFile.pathname, { offset: 0, size: 1 }, new ArrayBuffer(1));
try { wait(); } catch ({ code }) { print(code); }`),
    ).toEqual([null, null, 'ENOENT']);
  });

  it('keeps a memory alive until it is filled, even if the result is never awaited', async () => {
    expect(
      await prints(
        `
const large = Buffer.alloc(8 << 20, 1);
fs.writeFileSync(segmentFile, segmentOf([256, 256, 1, 0, large.length], large));
for (let i = 0; i < 40; i++) {
  const memory = createMemory({ initial: 256, maximum: 256 });
  addon.fill(segmentFile.pathname, { offset: 0, size: large.length + 20 }, memory.buffer);
  if (i % 10 === 9) globalThis.gc();
}
print('alive');`,
        { args: ['--expose-gc'] },
      ),
    ).toEqual(['alive']);
  });

  it('lets filled memories be collected before the program returns to the event loop', async () => {
    expect(
      await prints(
        `
const large = Buffer.alloc(8 << 20, 1);
fs.writeFileSync(segmentFile, segmentOf([256, 256, 1, 0, large.length], large));
for (let i = 0; i < 60; i++) {
  const memory = createMemory({ initial: 256, maximum: 256 });
  addon.fill(segmentFile.pathname, { offset: 0, size: large.length + 20 }, memory.buffer)();
  globalThis.gc();
}
print(process.memoryUsage().rss < 300 << 20);`,
        { args: ['--expose-gc'] },
      ),
    ).toEqual([true]);
  });

  it('returns another checksum if a byte differs', async () => {
    expect(
      await prints(`
const other = Buffer.from(good);
other[other.length - 1] ^= 1;
const [crc, bytes] = fill(other);
print([crc === crc32(good), bytes.toString('latin1', 65533)]);`),
    ).toEqual([[false, 'xy{']]);
  });

  it('does not crash if workers are terminated meanwhile', async () => {
    expect(
      await prints(`
const { Worker } = await import('node:worker_threads');
const large = Buffer.alloc(8 << 20, 1);
fs.writeFileSync(segmentFile, segmentOf([256, 256, 1, 0, large.length], large));
const source = \`
  const module = { exports: {} };
  process.dlopen(module, \${JSON.stringify(addon.file)});
  const memory = new WebAssembly.Memory({ initial: 256 });
  const wait = module.exports.fill(\${JSON.stringify(segmentFile.pathname)}, { offset: 0, size: \${large.length + 20} }, memory.buffer);
  require('node:worker_threads').parentPort.postMessage('started');
  setTimeout(wait, 1000);\`;
for (let i = 0; i < 10; i++) {
  const worker = new Worker(source, { eval: true });
  await new Promise((resolve) => worker.once('message', resolve));
  await worker.terminate();
}
print('alive');`),
    ).toEqual(['alive']);
  });

  it('works without a thread if address space is limited', async () => {
    expect(
      await prints(`print(fill(good)[1].toString('latin1', 10, 15));`, { limit: 'ulimit -v 40000000' }),
    ).toEqual(['abcde']);
  });
});
