/** Other threads prefetch the file, which the program cannot observe. */
import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { SAMPLE_RESULT, SAMPLE_WAT } from '../v8/modules.ts';
import { temporaryFolder } from '../v8/support.ts';
import { assemble } from '../wasm/support.ts';
import { bulkySample, largeSample } from './modules.ts';
import {
  createProgram,
  forgeMap,
  inWorker,
  NODES,
  outcomes,
  type Program,
  type Run,
  run,
  shareNode,
  writeCopy,
} from './support.ts';

const folder = temporaryFolder();
const SAMPLE = path.join(folder, 'large.wasm');
const SMALL = path.join(folder, 'small.wasm');
const TINY = path.join(folder, 'tiny.wasm');
writeFileSync(SAMPLE, largeSample());
writeFileSync(SMALL, bulkySample());
writeFileSync(TINY, assemble(SAMPLE_WAT));

/** A user with no other threads on this machine. */
const UNUSED_USER = 64_321;

let program: Program;
let small: Program;
/** Too small for threads. */
let tiny: Program;
beforeAll(async () => {
  program = await createProgram(path.join(folder, 'program'), SAMPLE);
  small = await createProgram(path.join(folder, 'small'), SMALL);
  tiny = await createProgram(path.join(folder, 'tiny'), TINY);
});

const USE = 'print(use(create().loadSync()));';

/** For scripts: counts mappings of the artifact, descriptors of it, and threads. */
const LEFT = `
const left = () => [
  fs.readFileSync('/proc/self/maps', 'utf8').split('\\n').filter((line) => line.includes(file)).length,
  fs.readdirSync('/proc/self/fd').filter((fd) => {
    try { return fs.readlinkSync('/proc/self/fd/' + fd) === file; } catch { return false; }
  }).length,
  fs.readdirSync('/proc/self/task').length,
];
`;

/** Returns the path of a copy of the artifact with a flipped bit. */
function flip(at: number): string {
  const bytes = Buffer.from(program.bytes);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 0x10, at);
  return writeCopy(program, bytes);
}

describe.each(NODES)('in Node $version', ({ node }) => {
  const start = (script: string, options: Partial<Run> = {}) => run(program, script, { node, ...options });

  const ownCode = async () => {
    const { printed } = await start('print([native.offset, native.size]);');
    const [[offset, size]] = printed as [[number, number]];
    return { offset, size };
  };

  it('leaves no mapping, descriptor or thread behind', async () => {
    const result = await start(`${LEFT}
print(use(create().loadSync()));
const before = left();
for (let times = 0; times < 20; times++) create().loadSync();
print([before, left()]);`);
    expect(result, result.stderr).toMatchObject({ end: 0, warnings: [] });
    const [used, [before, after]] = result.printed as [unknown, [number[], number[]]];
    expect(used).toEqual(SAMPLE_RESULT);
    expect(before.slice(0, 2)).toEqual([0, 0]);
    expect(after).toEqual(before);
    expect(outcomes(result)).toEqual(Array(21).fill('precompiled mapped'));
  });

  it("computes zlib's checksums for segments of any size", async () => {
    const script = `
import { crc32 } from 'node:zlib';
const ranges = Array.from({ length: 500 }, (_, index) => ({ offset: manifest.wire.offset, size: index + 1 }));
const contents = addon.map(file, ranges)();
const expected = contents.segments.map((segment) => crc32(new Uint8Array(segment)));
print([contents.crcs.length, contents.crcs.filter((crc, index) => crc !== expected[index])]);
addon.release(contents);`;
    expect((await start(script)).printed).toEqual([[500, []]]);
  });

  it("computes zlib's checksums with and without wire bytes among the segments, and for small and large files", async () => {
    const script = `
import { crc32 } from 'node:zlib';
for (const wire of [[1], [], [7], [-1], [0]]) {
  const contents = addon.map(file, fileRanges, ...wire)();
  print([contents.crcs.length, contents.crcs.every((crc, index) => crc === crc32(new Uint8Array(contents.segments[index])))]);
  addon.release(contents);
}`;
    const expected = { end: 0, printed: Array.from({ length: 5 }, () => [3, true]), stderr: '' };
    expect(await start(script)).toMatchObject(expected);
    expect(await run(small, script, { node })).toMatchObject(expected);
    expect(await run(tiny, script, { node })).toMatchObject(expected);
  });

  it('throws for a flipped byte in the wire bytes', async () => {
    const { offset, size } = program.manifest.wire;
    for (const at of [0, 1, size >> 1, size - 1]) {
      const result = await start(`try { ${USE} } catch ({ message }) { print(message); }`, {
        artifact: flip(offset + at),
      });
      expect(result, result.stderr).toMatchObject({ end: 0, loads: [] });
      expect(result.printed).toEqual([expect.stringContaining('its checksum is wrong')]);
    }
  });

  it('compiles the module with a flipped byte in the native code', async () => {
    const { offset, size } = await ownCode();
    for (const at of [0, 16, size >> 1, size - 1]) {
      const result = await start(USE, { artifact: flip(offset + at) });
      expect(result, result.stderr).toMatchObject({ end: 0, printed: [SAMPLE_RESULT] });
      expect(outcomes(result)).toEqual(['compiled mapped']);
      expect(result.warnings).toEqual([expect.stringContaining('its checksum is wrong')]);
    }
  });

  it('throws for a truncated file, or compiles if only native code is missing', async () => {
    const { wire } = program.manifest;
    for (const size of [0, 100, wire.offset, wire.offset + (wire.size >> 1), wire.offset + wire.size - 1]) {
      const artifact = writeCopy(program, program.bytes.subarray(0, size));
      const result = await start(`try { ${USE} } catch ({ message }) { print(message); }`, { artifact });
      expect(result, result.stderr).toMatchObject({ end: 0, loads: [] });
      expect(result.printed).toEqual([expect.stringMatching(/damaged or missing|cannot read/)]);
    }
    const artifact = writeCopy(program, program.bytes.subarray(0, wire.offset + wire.size));
    const result = await start(USE, { artifact });
    expect(result, result.stderr).toMatchObject({ end: 0, printed: [SAMPLE_RESULT] });
    expect(outcomes(result)).toEqual(['compiled mapped']);
  });

  it('compiles the module if V8 rejects the native code', async () => {
    // The version hash of another V8.
    const bytes = Buffer.from(program.bytes);
    for (const { offset } of program.manifest.native)
      bytes.writeUInt8(bytes.readUInt8(offset + 4) ^ 1, offset + 4);
    const result = await start(USE, {
      artifact: writeCopy(program, bytes),
      manifest: forgeMap(program.manifest, bytes),
    });
    expect(result, result.stderr).toMatchObject({ end: 0, printed: [SAMPLE_RESULT] });
    expect(outcomes(result)).toEqual(['compiled mapped']);
  });

  it('returns a mapping once, and releases mappings that are never awaited', async () => {
    const result = await start(
      `${LEFT}
create().loadSync();
const before = left();
const wait = addon.map(file, fileRanges, 1);
const contents = wait();
print([contents.segments.length, wait() ?? null]);
addon.release(contents);
for (let times = 0; times < 20; times++) addon.map(file, fileRanges, 1);
gc();
await new Promise((resolve) => setImmediate(resolve));
print([before, left()]);`,
      { args: ['--expose-gc'] },
    );
    expect(result, result.stderr).toMatchObject({ end: 0, warnings: [] });
    const [waited, [before, after]] = result.printed as [unknown, [number[], number[]]];
    expect(waited).toEqual([3, null]);
    expect(after).toEqual(before);
  });

  it('does not need a mapping to be deserialized or released', async () => {
    const result = await start(`${LEFT}
create().loadSync();
const before = left();
for (let times = 0; times < 20; times++) addon.release(addon.map(file, fileRanges, 1)());
print([before, left()]);
addon.map(file, fileRanges, 1)();
addon.map(file, fileRanges, 1)();
${USE}`);
    expect(result, result.stderr).toMatchObject({ end: 0, warnings: [] });
    const [[before, after], used] = result.printed as [[number[], number[]], unknown];
    expect(after).toEqual(before);
    expect(used).toEqual(SAMPLE_RESULT);
    const worker = await start(
      inWorker(`addon.map(file, fileRanges, 1)(); addon.release(addon.map(file, fileRanges, 1)()); ${USE}`),
    );
    expect(worker, worker.stderr).toMatchObject({ end: 0, printed: [SAMPLE_RESULT], warnings: [] });
  });

  it('loads in fifty workers at once', async () => {
    const result = await start(`
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
if (isMainThread) {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const next = (worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  const workers = Array.from({ length: 50 }, () => new Worker(new URL(import.meta.url), { workerData: gate }));
  await Promise.all(workers.map(next));
  const results = Promise.all(workers.map(next));
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
  print(new Set((await results).map((result) => JSON.stringify(result))).size);
  ${USE}
} else {
  parentPort.postMessage('ready');
  Atomics.wait(workerData, 0, 0);
  parentPort.postMessage(use(create().loadSync()));
}`);
    expect(result, result.stderr).toMatchObject({ end: 0, printed: [1, SAMPLE_RESULT], warnings: [] });
    expect(outcomes(result)).toEqual(Array(51).fill('precompiled mapped'));
  });

  it('survives the termination of workers during loads', async () => {
    const result = await start(`${LEFT}
import { Worker, isMainThread, parentPort } from 'node:worker_threads';
if (isMainThread) {
  for (let index = 0; index < 30; index++) {
    const worker = new Worker(new URL(import.meta.url));
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    if (index % 3 > 0) await new Promise((resolve) => setTimeout(resolve, index % 7));
    await worker.terminate();
  }
  print(left().slice(0, 2));
  ${USE}
} else {
  parentPort.postMessage('loading');
  for (;;) create().loadSync();
}`);
    expect(result, result.stderr).toMatchObject({ end: 0, printed: [[0, 0], SAMPLE_RESULT] });
    expect(result.loads.at(-1)).toMatchObject({ how: 'precompiled', access: 'mapped' });
  });

  it('does not disturb process.exit while workers load', async () => {
    for (const wait of [0, 2, 5, 10]) {
      const { end, stderr } = await start(`
import { Worker, isMainThread } from 'node:worker_threads';
if (isMainThread) {
  const workers = Array.from({ length: 3 }, () => new Worker(new URL(import.meta.url)));
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('online', resolve))));
  setTimeout(() => process.exit(3), ${wait});
} else {
  for (;;) create().loadSync();
}`);
      expect(end, stderr).toBe(3);
    }
  });

  it.runIf(process.getuid?.() === 0)('works on the main thread if no thread can be started', async () => {
    const shared = shareNode(folder, node);
    chmodSync(program.folder, 0o755);
    const artifact = writeCopy(program, program.bytes);
    chownSync(artifact, UNUSED_USER, UNUSED_USER);
    const options = { node: shared, uid: UNUSED_USER, artifact };
    const { printed, stderr } = await start(`${LEFT} print(left()[2]);`, options);
    expect(printed, stderr).toEqual([expect.any(Number)]);
    const count = printed[0] as number;
    // dash names the option -p, other shells -u.
    const limit = `ulimit -p ${count} 2> /dev/null || ulimit -u ${count}`;
    const allowed = `Number(/Max processes +(\\d+)/.exec(fs.readFileSync('/proc/self/limits', 'utf8'))[1])`;
    const result = await start(`${LEFT} print(left()[2] >= ${allowed}); ${USE}`, { ...options, limit });
    expect(result, result.stderr).toMatchObject({ end: 0, printed: [true, SAMPLE_RESULT], warnings: [] });
    expect(outcomes(result)).toEqual(['precompiled mapped']);
  });
});
