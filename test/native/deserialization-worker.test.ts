/** Asynchronous loads of much native code deserialize in a worker, which the program cannot observe. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { SAMPLE_RESULT } from '../v8/modules.ts';
import { temporaryFolder } from '../v8/support.ts';
import { hugeSample } from './modules.ts';
import {
  ABI,
  createProgram,
  forgeMap,
  inWorker,
  LOAD,
  newPath,
  NODES,
  outcomes,
  type Program,
  type Run,
  run,
  writeCopy,
} from './support.ts';

const folder = temporaryFolder();
const SAMPLE = path.join(folder, 'sample.wasm');
writeFileSync(SAMPLE, hugeSample());

/** Counts the workers that are started. */
const COUNT = `
let started = 0;
process.on('worker', () => started++);
`;

describe.each(NODES)('in Node $version', ({ version, node }) => {
  let program: Program;
  beforeAll(async () => {
    program = await createProgram(path.join(folder, version), SAMPLE, [node]);
  });

  const start = (script: string, options: Partial<Run> = {}) => run(program, script, { node, ...options });

  /** Expects native code from asynchronous loads, regardless of what happens to the worker. */
  async function expectPrecompiled(script: string, options: Partial<Run> = {}, loads = 1): Promise<void> {
    const result = await start(script, options);
    expect(result, result.stderr).toMatchObject({ end: 0, warnings: [] });
    expect(result.printed).toEqual(Array(loads).fill(SAMPLE_RESULT));
    expect(outcomes(result)).toEqual(Array(loads).fill('precompiled mapped'));
  }

  /** Expects that both ways to load compile. */
  async function expectCompiled(reason: RegExp, options: Partial<Run>): Promise<void> {
    const result = await start(LOAD, options);
    expect(result, result.stderr).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT] });
    expect(result.loads.map(({ how, detail }) => [how, detail])).toEqual(
      [1, 2].map(() => ['compiled', expect.stringMatching(reason)]),
    );
    expect(result.warnings).toEqual([expect.stringMatching(reason)]);
  }

  it('starts a worker for an asynchronous load and none for a synchronous one', async () => {
    const result = await start(`${COUNT}
const module = await create().load();
print([started, module instanceof WebAssembly.Module]);
print(use(module));
print(use(create().loadSync()));
print(started);`);
    expect(result, result.stderr).toMatchObject({
      end: 0,
      printed: [[1, true], SAMPLE_RESULT, SAMPLE_RESULT, 1],
      warnings: [],
    });
    expect(outcomes(result)).toEqual(['precompiled mapped', 'precompiled mapped']);
    // One debug line for each load, and nothing else.
    expect(result.stderr.trimEnd().split('\n')).toHaveLength(2);
  });

  it('returns a module that outlives the worker', async () => {
    await expectPrecompiled(`
import { Session } from 'node:inspector';
const session = new Session();
session.connect();
const ended = new Promise((done) => process.on('worker', (worker) => worker.once('exit', done)));
const module = await create().load();
await ended;
for (let times = 0; times < 5; times++) {
  await new Promise((done) => session.post('HeapProfiler.collectGarbage', done));
  await new Promise(setImmediate);
}
print(use(module));`);
  });

  it('loads several modules at once', async () => {
    await expectPrecompiled(
      `for (const module of await Promise.all(Array.from({ length: 6 }, () => create().load()))) print(use(module));`,
      {},
      6,
    );
  });

  it('starts no worker for a load in a worker', async () => {
    await expectPrecompiled(
      inWorker(`${COUNT}print(use(await create().load())); if (started) throw started;`),
    );
  });

  it('runs no code of the program in the worker', async () => {
    const preload = newPath(program, 'preload.cjs');
    writeFileSync(preload, `console.log(JSON.stringify(require('node:worker_threads').isMainThread));`);
    for (const options of [
      { args: ['--require', preload] },
      { args: ['--import', preload] },
      { env: { NODE_OPTIONS: `--require ${preload}` } },
    ]) {
      const result = await start(`${COUNT}print(use(await create().load())); print(started);`, options);
      expect(result, result.stderr).toMatchObject({ end: 0, printed: [true, SAMPLE_RESULT, 1] });
    }
  });

  it('leaves neither a mapping nor a thread behind', async () => {
    const result = await start(`
const count = () => fs.readdirSync('/proc/self/task').length;
await fs.promises.readFile(file);
const before = count();
const module = await create().load();
const mappings = () => fs.readFileSync('/proc/self/maps', 'utf8').split('\\n').filter((line) => line.includes(file));
const deadline = performance.now() + 30_000;
while ((mappings().length > 0 || count() > before) && performance.now() < deadline) {
  await new Promise((done) => setTimeout(done, 10));
}
print(mappings());
print(count() - before);`);
    expect(result, result.stderr).toMatchObject({ end: 0, printed: [[], 0] });
  });

  describe('deserializes on the main thread if', () => {
    it('the permission model allows no worker', async () => {
      await expectPrecompiled(`${COUNT}print(use(await create().load())); if (started) throw started;`, {
        args: [
          version === '20.19' ? '--experimental-permission' : '--permission',
          `--allow-fs-read=${program.folder}/`,
          '--allow-addons',
        ],
      });
    });

    it('the program terminates the worker', async () => {
      await expectPrecompiled(
        `process.on('worker', (worker) => worker.terminate());
print(use(await create().load()));`,
      );
      await expectPrecompiled(
        `process.on('worker', (worker) => worker.once('online', () => worker.terminate()));
print(use(await create().load()));`,
      );
    });

    it('the worker fails', async () => {
      const key = `${process.platform}-${process.arch}-${ABI[version]}`;
      const binary = program.addons[key] ?? '';
      await expectPrecompiled(
        `const binary = ${JSON.stringify(binary)};
const loading = create().load();
fs.renameSync(binary, binary + '.away');
try {
  print(use(await loading));
} finally {
  fs.renameSync(binary + '.away', binary);
}`,
      );
    });

    it('no worker can be created', async () => {
      await expectPrecompiled(
        `import threads from 'node:worker_threads';
import { syncBuiltinESMExports } from 'node:module';
threads.Worker = class { constructor() { throw new Error('on purpose'); } };
syncBuiltinESMExports();
print(use(await create().load()));`,
      );
    });
  });

  describe('compiles the module if', () => {
    it('V8 rejects the native code', async () => {
      const bytes = Buffer.from(program.bytes);
      const [segment] = program.manifest.native;
      const at = (segment?.offset ?? 0) + 4;
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      await expectCompiled(/V8 does not accept it/, {
        artifact: writeCopy(program, bytes),
        manifest: forgeMap(program.manifest, bytes),
      });
    });

    it('the native code is damaged', async () => {
      const bytes = Buffer.from(program.bytes);
      const [segment] = program.manifest.native;
      const at = (segment?.offset ?? 0) + (segment?.size ?? 0) - 1;
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      await expectCompiled(/its checksum is wrong/, { artifact: writeCopy(program, bytes) });
    });

    it('V8 runs with other flags', async () => {
      await expectCompiled(/V8 flag --single-threaded may change/, { args: ['--single-threaded'] });
    });

    it('the trap handler is off', async () => {
      await expectCompiled(/the trap handler is off/, { args: ['--disable-wasm-trap-handler'] });
    });
  });

  it('rejects for a missing file, and lets the program end', async () => {
    const artifact = newPath(program, 'no-such.elf');
    const result = await start(`await create().load().catch(({ code }) => print(code));`, { artifact });
    expect(result, result.stderr).toMatchObject({ end: 0, printed: ['ENOENT'] });
  });

  it('does not keep the process alive for a load that is not awaited', async () => {
    expect(await start('create().load();')).toMatchObject({ end: 0, warnings: [] });
  });

  it.each([
    { when: 'immediately', wait: '' },
    { when: 'one turn later', wait: 'await new Promise(setImmediate);' },
    {
      when: 'after the worker has started',
      wait: `await new Promise((done) => process.on('worker', (worker) => worker.once('online', done)));`,
    },
    { when: 'after 50 ms', wait: 'await new Promise((done) => setTimeout(done, 50));' },
    { when: 'after the load', wait: 'await loading;' },
  ])('does not disturb process.exit $when', async ({ wait }) => {
    const { end, stderr } = await start(`const loading = create().load(); ${wait} process.exit(3);`);
    expect(end, stderr).toBe(3);
  });

  it('does not disturb an uncaught error', async () => {
    for (const wait of ['', 'await new Promise((done) => setTimeout(done, 60));']) {
      const { end, stderr } = await start(`create().load(); ${wait} throw new Error('on purpose');`);
      expect(end).toBe(1);
      expect(stderr).toContain('on purpose');
    }
  });
});
