/**
 * Many threads and many loads in one process; loads that nobody waits for any more.
 *
 * What happens without the guards is shown for V8's flags, which all threads share (Node 20 to 24). Node 26 needs no flag;
 * what guards the list of mappings there is compiled into the native loader, and a race without it would not show each time.
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

/** Starts so many workers, which load all at once, and waits for what they answer. */
const withWorkers = (count: number) => `
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
if (isMainThread) {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const workers = Array.from({ length: ${count} }, (_, index) =>
    new Worker(new URL(import.meta.url), { workerData: { gate, index } }));
  const next = (worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  await Promise.all(workers.map(next));
  const answers = Promise.all(workers.map(next));
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
  const here = ${count} === 1 ? [use(create().loadSync())] : [];
  print([...await answers, ...here].map((answer) => JSON.stringify(answer) === ${JSON.stringify(JSON.stringify(SAMPLE_RESULT))}));
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
  ])('$threads load at once: all precompiled, all right', async ({ workers, loads }) => {
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

  it('one thread loads many times at once', async () => {
    const result = await start(`
const modules = await Promise.all(Array.from({ length: 50 }, () => create().load()));
print(modules.map(use).every((answer) => JSON.stringify(answer) === ${JSON.stringify(JSON.stringify(SAMPLE_RESULT))}));
const loader = create();
const [first, second] = await Promise.all([loader.load(), loader.load()]);
print(first === second && first === loader.loadSync());`);
    expect(result).toMatchObject({ end: 0, printed: [true, true], warnings: [] });
    expect(outcomes(result)).toEqual(Array(51).fill('precompiled mapped'));
  });

  it('a worker that is terminated in the middle of a load harms nobody', async () => {
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

  it('a worker that ends itself in the middle of a load harms nobody', async () => {
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
    { when: 'at once', wait: '' },
    { when: 'a little later', wait: 'await new Promise(setImmediate);' },
    { when: 'when one load is over', wait: 'await Promise.race(loading);' },
  ])('process.exit during asynchronous loads, $when, is only that', async ({ wait }) => {
    for (let times = 0; times < 5; times++) {
      const { end, stderr } = await start(`
const loading = Array.from({ length: ${1 + times * 3} }, () => create().load());
${wait}
process.exit(3);`);
      expect(end, stderr).toBe(3);
    }
  });

  it('an error that nobody catches, during a load, is only that', async () => {
    const { end, stderr } = await start(`create().load(); throw new Error('on purpose');`);
    expect(end).toBe(1);
    expect(stderr).toContain('on purpose');
  });

  it('the result of a load that nobody waits for does not keep the process', async () => {
    expect(await start('create().load();')).toMatchObject({ end: 0, warnings: [] });
  });

  it('200 loads leave no mapping, no descriptor and no address space behind', async () => {
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

/** A thread that allows the natives' syntax for the whole process when it is told to, and forbids it the next time. */
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
/** Lets the other thread do it, and waits until it is done. */
const otherThread = () => {
  const turn = Atomics.add(turns, 0, 1) + 1;
  Atomics.notify(turns, 0);
  wait(turns, 0, turn);
};`;

/** What the runtime does, without looking at what other threads do. */
const NATIVE = `
const compileNative = () => runInThisContext('(code, wire) => %DeserializeWasmModule(code, wire)');
const bytes = fs.readFileSync(file);
const [, wire, code] = parts.map(({ offset, size }) => new Uint8Array(bytes.subarray(offset, offset + size)));
const deserialize = (compiled) => compiled(code.buffer, wire);`;

describe.each(NODES.filter(({ node }) => node !== NODE_26))(
  'two threads that switch a flag in Node $version',
  ({ node }) => {
    /** The runtime has no native loader here, which makes its threads wait for each other. */
    const start = (script: string) =>
      run(program, `${OTHER_THREAD}${script}\nawait worker.terminate();`, { node, addons: {} });

    it('one that does not wait for the other has its native code refused', async () => {
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

    it('one that does not wait for the other cannot compile what deserializes', async () => {
      const result = await start(`${NATIVE}
otherThread();
v8.setFlagsFromString('--allow-natives-syntax');
otherThread();
try { compileNative(); } catch ({ name }) { print(name); }`);
      expect(result, result.stderr).toMatchObject({ end: 0, printed: ['SyntaxError'] });
    });

    it('the runtime waits, and tries again', async () => {
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
