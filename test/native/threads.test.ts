/**
 * Many threads and many loads in one process, and loads that are never awaited.
 *
 * The last tests show what happens without a lock around V8's flags, which all threads share (Node 20 to 24). The list
 * of mappings has no such test: its lock is compiled into the native addon, and a race would not show in every run.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { SAMPLE_RESULT } from '../v8/modules.ts';
import { temporaryFolder } from '../v8/support.ts';
import { bulkySample } from './modules.ts';
import { createProgram, NODE_26, NODES, outcomes, type Program, run } from './support.ts';

const folder = temporaryFolder();
const SAMPLE = path.join(folder, 'sample.wasm');
writeFileSync(SAMPLE, bulkySample());

let program: Program;
beforeAll(async () => {
  program = await createProgram(path.join(folder, 'program'), SAMPLE);
});

/** Starts `count` workers that load at the same time, and compares their results. */
const withWorkers = (count: number) => `
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
if (isMainThread) {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const workers = Array.from({ length: ${count} }, (_, index) =>
    new Worker(new URL(import.meta.url), { workerData: { gate, index } }));
  const next = (worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  await Promise.all(workers.map(next));
  const results = Promise.all(workers.map(next));
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
  const here = ${count} === 1 ? [use(create().loadSync())] : [];
  print([...await results, ...here].map((result) => JSON.stringify(result) === ${JSON.stringify(JSON.stringify(SAMPLE_RESULT))}));
} else {
  const { gate, index } = workerData;
  parentPort.postMessage('ready');
  Atomics.wait(gate, 0, 0);
  parentPort.postMessage(use(index % 2 ? create().loadSync() : await create().load()));
}`;

describe.each(NODES)('in Node $version', ({ node }) => {
  const start = (script: string) => run(program, script, { node });

  it.each([
    { threads: 'two threads', workers: 1, loads: 2 },
    { threads: 'fifty workers', workers: 50, loads: 50 },
  ])('$threads load at once, and all get native code', async ({ workers, loads }) => {
    for (let times = 0; times < (workers === 1 ? 10 : 2); times++) {
      const result = await start(withWorkers(workers));
      expect(result, result.stderr).toMatchObject({
        end: 0,
        printed: [Array(loads).fill(true)],
        warnings: [],
      });
      expect(new Set(outcomes(result))).toEqual(new Set(['precompiled mapped']));
      expect(result.loads).toHaveLength(loads);
    }
  });

  it('one thread starts many loads at once', async () => {
    const result = await start(`
const modules = await Promise.all(Array.from({ length: 50 }, () => create().load()));
print(modules.map(use).every((result) => JSON.stringify(result) === ${JSON.stringify(JSON.stringify(SAMPLE_RESULT))}));
const handle = create();
const [first, second] = await Promise.all([handle.load(), handle.load()]);
print(first === second && first === handle.loadSync());`);
    expect(result).toMatchObject({ end: 0, printed: [true, true], warnings: [] });
    expect(outcomes(result)).toEqual(Array(51).fill('precompiled mapped'));
  });

  it('survives the termination of workers during loads', async () => {
    const result = await start(`
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
if (isMainThread) {
  for (let index = 0; index < 40; index++) {
    const worker = new Worker(new URL(import.meta.url), { workerData: index % 4 });
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    for (let turns = 0; turns < index % 5; turns++) await new Promise(setImmediate);
    await worker.terminate();
  }
  print(use(await create().load()));
  const left = fs.readFileSync('/proc/self/maps', 'utf8').split('\\n').filter((line) => line.includes(file));
  print(left);
} else {
  const loading = Array.from({ length: 1 + workerData }, () => create().load());
  parentPort.postMessage('loading');
  await Promise.all(loading);
  setInterval(() => {}, 1000);
}`);
    expect(result, result.stderr).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, []] });
    expect(result.loads.at(-1)).toMatchObject({ how: 'precompiled', access: 'mapped' });
  });

  it('survives workers that end themselves during loads', async () => {
    const result = await start(`
import { Worker, isMainThread } from 'node:worker_threads';
if (isMainThread) {
  for (let index = 0; index < 10; index++) {
    const worker = new Worker(new URL(import.meta.url));
    print(await new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject)));
  }
  print(use(await create().load()));
} else {
  for (let index = 0; index < 3; index++) create().load();
  process.exit(5);
}`);
    expect(result, result.stderr).toMatchObject({ end: 0, printed: [...Array(10).fill(5), SAMPLE_RESULT] });
  });

  it.each([
    { when: 'immediately', wait: '' },
    { when: 'one turn later', wait: 'await new Promise(setImmediate);' },
    { when: 'after one load', wait: 'await Promise.race(loading);' },
  ])('does not disturb process.exit during asynchronous loads, $when', async ({ wait }) => {
    for (let times = 0; times < 5; times++) {
      const { end, stderr } = await start(`
const loading = Array.from({ length: ${1 + times * 3} }, () => create().load());
${wait}
process.exit(3);`);
      expect(end, stderr).toBe(3);
    }
  });

  it('does not disturb an uncaught error during a load', async () => {
    const { end, stderr } = await start(`create().load(); throw new Error('on purpose');`);
    expect(end).toBe(1);
    expect(stderr).toContain('on purpose');
  });

  it('does not keep the process alive for a load that is not awaited', async () => {
    expect(await start('create().load();')).toMatchObject({ end: 0, warnings: [] });
  });

  it('leaves no mapping, descriptor or address space behind after 200 loads', async () => {
    const result = await start(`
const look = () => ({
  artifact: fs.readFileSync('/proc/self/maps', 'utf8').split('\\n').filter((line) => line.includes(file)).length,
  descriptors: fs.readdirSync('/proc/self/fd').length,
});
const maps = () => fs.readFileSync('/proc/self/maps', 'utf8').split('\\n').length;
const load = async (times) => {
  for (let index = 0; index < times; index++) await (index % 2 ? create().load() : create().loadSync());
};
await load(20);
const before = look();
const mapsBefore = maps();
await load(200);
print([before, look()]);
print(maps() - mapsBefore);`);
    const [[before, after], growth] = result.printed as [
      [{ artifact: number; descriptors: number }, object],
      number,
    ];
    expect(before.artifact).toBe(0);
    expect(after).toEqual(before);
    // The heap grows and shrinks; three segments of 200 loads would be 600.
    expect(growth).toBeLessThan(60);
    expect(result.end).toBe(0);
    expect(new Set(outcomes(result))).toEqual(new Set(['precompiled mapped']));
  });
});

/** A thread that allows the syntax of natives for the whole process at one turn, and forbids it at the next. */
const OTHER_THREAD = `
import { Worker } from 'node:worker_threads';
import * as v8 from 'node:v8';
import { runInThisContext } from 'node:vm';
const turns = new Int32Array(new SharedArrayBuffer(4));
const { wait } = Atomics;
const worker = new Worker(
  "const turns = require('node:worker_threads').workerData;" +
  "for (let turn = 1; ; turn += 2) {" +
  "  Atomics.wait(turns, 0, turn - 1);" +
  "  require('node:v8').setFlagsFromString(turn % 4 === 1 ? '--allow-natives-syntax' : '--no-allow-natives-syntax');" +
  "  Atomics.store(turns, 0, turn + 1);" +
  "  Atomics.notify(turns, 0);" +
  "}",
  { eval: true, workerData: turns },
);
/** Starts a turn of the other thread, and waits for its end. */
const otherThread = () => {
  const turn = Atomics.add(turns, 0, 1) + 1;
  Atomics.notify(turns, 0);
  wait(turns, 0, turn);
};`;

/** Deserializes like the runtime, but without regard to other threads. */
const NATIVE = `
const compileNative = () => runInThisContext('(code, wire) => %DeserializeWasmModule(code, wire)');
const bytes = fs.readFileSync(file);
const [, wire, code] = fileRanges.map(({ offset, size }) => new Uint8Array(bytes.subarray(offset, offset + size)));
const deserialize = (compiled) => compiled(code.buffer, wire);`;

describe.each(NODES.filter(({ node }) => node !== NODE_26))(
  'two threads that switch a flag in Node $version',
  ({ node }) => {
    /** Without the native addon, whose lock would make threads wait for each other. */
    const start = (script: string) =>
      run(program, `${OTHER_THREAD}${script}\nawait worker.terminate();`, { node, addons: {} });

    it('V8 rejects native code while the other thread allows the syntax', async () => {
      const result = await start(`${NATIVE}
v8.setFlagsFromString('--allow-natives-syntax');
const compiled = compileNative();
v8.setFlagsFromString('--no-allow-natives-syntax');
otherThread();
print(deserialize(compiled) === undefined);
otherThread();
print(use(deserialize(compiled)));`);
      expect(result, result.stderr).toMatchObject({ end: 0, printed: [true, SAMPLE_RESULT] });
    });

    it('a thread cannot compile a native while the other forbids the syntax', async () => {
      const result = await start(`${NATIVE}
otherThread();
v8.setFlagsFromString('--allow-natives-syntax');
otherThread();
try { compileNative(); } catch ({ name }) { print(name); }`);
      expect(result, result.stderr).toMatchObject({ end: 0, printed: ['SyntaxError'] });
    });

    it('the runtime waits and retries', async () => {
      const result = await start(`
let waits = 0;
Atomics.wait = (...how) => {
  if (waits++ === 0) otherThread();
  return wait(...how);
};
otherThread();
print(use(create().loadSync()));
print(waits);`);
      expect(result, result.stderr).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, 1], warnings: [] });
      expect(outcomes(result)).toEqual(['precompiled read']);
    });
  },
);
