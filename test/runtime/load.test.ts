/** Loads intact artifacts of this build. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { sample, SAMPLE_RESULT } from '../v8/modules.ts';
import { fakeNode, PRECOMPILING, ROOT, SQL_JS, temporaryFolder } from '../v8/support.ts';
import { ensureNode } from '../support/nodes.ts';
import { createForeignNode } from '../support/targets.ts';
import {
  build,
  LOAD,
  LOAD_SYNC,
  onlySegment,
  type Output,
  precompiled,
  type Run,
  run,
  times,
} from './support.ts';

const folder = temporaryFolder();
const SAMPLE = path.join(folder, 'sample.wasm');
writeFileSync(SAMPLE, sample());

const PRINT_FLAG_HASH = `
const flagHash = () => new Script('0').createCachedData().readUInt32LE(12).toString(16).padStart(8, '0');
`;

/** Collects garbage without the flag that would change the flag hash. */
const COLLECT_GARBAGE = `
import { Session } from 'node:inspector';
const session = new Session();
session.connect();
const collectGarbage = () => new Promise((done) => session.post('HeapProfiler.collectGarbage', done));
`;

describe.each(PRECOMPILING)('in Node %s', (version) => {
  let node: string;
  let output: Output;
  beforeAll(async () => {
    node = await ensureNode(version);
    output = await build(path.join(folder, version), SAMPLE, [node]);
  });

  const start = (script: string, options: Partial<Run> = {}) => run(output, script, { node, ...options });

  it.each([
    ['asynchronous', LOAD],
    ['synchronous', LOAD_SYNC],
  ])('loads the module with its native code: %s', async (_, script) => {
    const result = await start(script);
    expect(result).toMatchObject({
      end: 0,
      printed: [SAMPLE_RESULT],
      loads: [precompiled(output)],
      warnings: [],
    });
    // One line, and nothing else.
    expect(result.stderr).toMatch(
      /^WASM-PRECOMPILE \d+: \/\S+\/sample\.elf precompiled \(v8-\d+\.\d+\.\d+\.\d+-node\.\d+-linux-x64-[0-9a-f]{8}-[0-9a-f]{8}\) \d+ bytes read \d+\.\d ms$/,
    );
  });

  it('prints nothing by default', async () => {
    expect(await start(LOAD, { env: { NODE_DEBUG: '' } })).toMatchObject({
      end: 0,
      printed: [SAMPLE_RESULT],
      stderr: '',
    });
  });

  it('has the same results as without the plugin', async () => {
    const baseline = `
import { readFileSync } from 'node:fs';
const bytes = readFileSync(${JSON.stringify(SAMPLE)});
print(use(await WebAssembly.compile(bytes)));
`;
    expect(await start(baseline)).toMatchObject({ end: 0, printed: [SAMPLE_RESULT], loads: [] });
  });

  it('returns a regular WebAssembly.Module', async () => {
    const { printed } = await start(`
const module = await create().load();
print([
  module instanceof WebAssembly.Module,
  WebAssembly.Module.imports(module),
  WebAssembly.Module.exports(module).map(({ name }) => name),
  WebAssembly.Module.customSections(module, 'name').length,
]);`);
    expect(printed).toEqual([
      [
        true,
        [{ module: 'env', name: 'twice', kind: 'function' }],
        ['memory', 'constant', 'peek', 'quadruple', 'sum', 'choose', 'apply', 'root'],
        1,
      ],
    ]);
  });

  it('loads once for each module handle', async () => {
    const result = await start(`
const handle = create();
const modules = [...(await Promise.all([handle.load(), handle.load()])), await handle.load(), handle.loadSync(), handle.loadSync()];
print(new Set(modules).size);
print(use(modules[0]));`);
    expect(result).toMatchObject({ end: 0, printed: [1, SAMPLE_RESULT], loads: [precompiled(output)] });
  });

  it('returns from a synchronous load during an asynchronous one, with the same module for both', async () => {
    const result = await start(`
const handle = create();
const pending = handle.load();
const now = handle.loadSync();
const later = await pending;
print(use(now));
print(use(later));
print([await handle.load() === handle.loadSync(), later === handle.loadSync()]);`);
    expect(result).toMatchObject({
      end: 0,
      printed: [SAMPLE_RESULT, SAMPLE_RESULT, [true, true]],
      warnings: [],
    });
    for (const load of result.loads) expect(load).toEqual(precompiled(output));
  });

  it('loads independently for several module handles', async () => {
    const result = await start(`
const modules = [...(await Promise.all(Array.from({ length: 5 }, () => create().load()))), create().loadSync()];
print(new Set(modules).size);
for (const module of modules) print(use(module));`);
    expect(result).toMatchObject({ end: 0, printed: [6, ...times(6, SAMPLE_RESULT)], warnings: [] });
    expect(result.loads).toEqual(times(6, precompiled(output)));
  });

  it('loads again after a failure', async () => {
    const result = await start(`
import { renameSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
const file = fileURLToPath(url);
for (const load of ['load', 'loadSync']) {
  const handle = create();
  renameSync(file, file + '.away');
  try {
    await handle[load]();
  } catch (error) {
    print(error.code);
  }
  renameSync(file + '.away', file);
  print(use(await handle[load]()));
}`);
    expect(result).toMatchObject({
      end: 0,
      printed: ['ENOENT', SAMPLE_RESULT, 'ENOENT', SAMPLE_RESULT],
      loads: [precompiled(output), precompiled(output)],
    });
  });

  it('leaves no file open', async () => {
    const result = await start(`
import { readdirSync, writeFileSync, rmSync } from 'node:fs';
const count = () => readdirSync('/proc/self/fd').length;
await create().load();
create().loadSync();
const before = count();
for (let i = 0; i < 10; i++) {
  await create().load();
  create().loadSync();
}
print(count() - before);`);
    expect(result).toMatchObject({ end: 0, printed: [0] });
  });

  it('loads again after garbage collection of all modules', async () => {
    const result = await start(`${COLLECT_GARBAGE}
for (let i = 0; i < 50; i++) {
  const results = JSON.stringify(use(i % 2 ? create().loadSync() : await create().load()));
  if (i % 10 === 0) console.log(results);
  await collectGarbage();
}`);
    expect(result).toMatchObject({ end: 0, printed: times(5, SAMPLE_RESULT), warnings: [] });
    expect(result.loads).toEqual(times(50, precompiled(output)));
  });

  it('restores the flags', async () => {
    const result = await start(`
import { Script } from 'node:vm';
${PRINT_FLAG_HASH}
const before = flagHash();
for (const load of ['load', 'loadSync']) {
  await create()[load]();
  print(flagHash() === before);
  try {
    new Function('return %DeserializeWasmModule()');
    print('allowed');
  } catch (error) {
    print(error.name);
  }
}
print(before);`);
    expect(result).toMatchObject({
      end: 0,
      printed: [true, 'SyntaxError', true, 'SyntaxError', onlySegment(output).engine.slice(-8)],
    });
  });

  it('keeps the natives syntax allowed if the program allows it', async () => {
    const result = await start(
      `
import { Script } from 'node:vm';
${PRINT_FLAG_HASH}
const before = flagHash();
for (const load of ['load', 'loadSync']) print(use(await create()[load]()));
print(new Function('return %HaveSameMap({}, {})')());
print(flagHash() === before);`,
      { args: ['--allow-natives-syntax'] },
    );
    expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT, true, true] });
    expect(result.loads.map(({ how }) => how)).toEqual(['compiled', 'compiled']);
    expect(result.warnings).toEqual([
      expect.stringContaining('V8 flag --allow-natives-syntax may change generated code'),
    ]);
  });

  it('precompiles if V8 disallows code from strings', async () => {
    const args = ['--disallow-code-generation-from-strings'];
    const target = fakeNode(
      folder,
      `strict-node-${version}`,
      node,
      `*) exec "$node" ${args.join(' ')} "$@" ;;`,
    );
    const strict = await build(path.join(folder, `strict-${version}`), SAMPLE, [target]);
    const script = `
try {
  new Function('return 1');
} catch (error) {
  print(error.name);
}
${LOAD}${LOAD_SYNC}`;
    const result = await run(strict, script, { node, args });
    expect(result).toMatchObject({
      end: 0,
      printed: ['EvalError', SAMPLE_RESULT, SAMPLE_RESULT],
      warnings: [],
    });
    expect(result.loads).toEqual([precompiled(strict), precompiled(strict)]);

    const other = await start(script, { args });
    expect(other).toMatchObject({
      end: 0,
      printed: ['EvalError', SAMPLE_RESULT, SAMPLE_RESULT],
      warnings: [],
    });
    expect(other.loads).toEqual([precompiled(output), precompiled(output)]);
  });

  it('precompiles in a context that disallows code from strings', async () => {
    const result = await start(`
import vm from 'node:vm';
const context = vm.createContext({ create, use, print }, { codeGeneration: { strings: false, wasm: false } });
vm.runInContext('try { new Function("return 1") } catch (error) { print(error.name) } print(use(create().loadSync()))', context);`);
    expect(result).toMatchObject({
      end: 0,
      printed: ['EvalError', SAMPLE_RESULT],
      loads: [precompiled(output)],
    });
  });

  it.each(['--enable-source-maps', '--cpu-prof', '--inspect=0', '--no-deprecation', '--title=x'])(
    'precompiles with %s, which does not change native code',
    async (flag) => {
      const result = await start(LOAD, { args: [flag] });
      expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT], warnings: [] });
      expect(result.loads).toEqual([precompiled(output)]);
    },
  );

  it('loads a module that is posted to a worker', async () => {
    const result = await start(`
import { Worker, isMainThread, parentPort } from 'node:worker_threads';
if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url));
  worker.on('message', print);
  worker.postMessage(await create().load());
} else {
  parentPort.once('message', (module) => parentPort.postMessage(use(module)));
}`);
    expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT], loads: [precompiled(output)] });
  });

  it('loads in 20 workers at the same time', async () => {
    const result = await start(`
import { Worker, isMainThread, parentPort } from 'node:worker_threads';
if (isMainThread) {
  const workers = Array.from({ length: 20 }, () => new Worker(new URL(import.meta.url)));
  await Promise.all(workers.map((worker) => new Promise((done, failed) => {
    worker.on('message', print).on('error', failed).on('exit', done);
  })));
} else {
  const [first, second] = [await create().load(), create().loadSync()];
  parentPort.postMessage(use(first));
  parentPort.postMessage(use(second));
}`);
    expect(result).toMatchObject({ end: 0, printed: times(40, SAMPLE_RESULT), warnings: [] });
    expect(result.loads).toEqual(times(40, precompiled(output)));
  });

  it('loads from a folder with spaces and other characters', async () => {
    const other = await build(path.join(folder, `a folder # 100% ü ${version}`), SAMPLE, [node]);
    const result = await run(other, LOAD + LOAD_SYNC, { node });
    expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT] });
    expect(result.loads).toEqual([precompiled(other), precompiled(other)]);
  });

  it('selects the native code for this Node from an artifact for several', async () => {
    const nodes = await Promise.all(PRECOMPILING.map((name) => ensureNode(name)));
    const several = await build(path.join(folder, `several-${version}`), SAMPLE, nodes);
    const result = await run(several, LOAD + LOAD_SYNC, { node });
    expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT], warnings: [] });
    expect(result.loads.map(({ how, detail }) => [how, detail])).toEqual(
      times(2, ['precompiled', onlySegment(output).engine]),
    );
  });

  it('has the same results as without the plugin for a real module', async () => {
    const sql = await build(path.join(folder, `sql-${version}`), SQL_JS, [node]);
    const query = `
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
const initialize = createRequire(import.meta.url)(${JSON.stringify(path.join(ROOT, 'node_modules/sql.js'))});
async function query(module) {
  const { Database } = await initialize({
    instantiateWasm(imports, done) {
      const instance = new WebAssembly.Instance(module, imports);
      done(instance, module);
      return instance.exports;
    },
  });
  const database = new Database();
  database.run('CREATE TABLE numbers (n INTEGER, text TEXT, root REAL)');
  database.run("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 2000) INSERT INTO numbers SELECT n, printf('%05d', n * 7919 % 2003), n / 7.0 FROM r");
  return [
    database.exec('SELECT count(*), sum(n), avg(root), group_concat(text) FROM numbers WHERE text LIKE "%7%"'),
    database.exec('SELECT n % 10 AS digit, max(text), total(root) FROM numbers GROUP BY digit ORDER BY digit DESC'),
    Buffer.from(database.export()).toString('base64').length,
  ];
}
`;
    const baseline = await run(
      sql,
      `${query}print(await query(await WebAssembly.compile(readFileSync(${JSON.stringify(SQL_JS)}))));`,
      { node },
    );
    expect(baseline).toMatchObject({
      end: 0,
      printed: [[[{ columns: expect.anything() }], expect.anything(), expect.anything()]],
    });
    for (const load of ['await create().load()', 'create().loadSync()']) {
      const result = await run(sql, `${query}print(await query(${load}));`, { node });
      expect(result).toMatchObject({
        end: 0,
        printed: baseline.printed,
        loads: [precompiled(sql)],
        warnings: [],
      });
    }
  });
});

describe('in Node 26', () => {
  it('compiles if the artifact is for other versions, with the same results', async () => {
    const node = await ensureNode('26');
    const output = await build(path.join(folder, '26'), SAMPLE, [await ensureNode('24')]);
    const result = await run(output, LOAD + LOAD_SYNC, { node });
    expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT] });
    expect(result.warnings).toEqual([
      expect.stringMatching(
        /node 26\.\S+ \(v8-14\.6\.\S+\) is not among its targets: node 24\.\S+ \(v8-13\.6\.\S+\)/,
      ),
    ]);
    expect(result.loads.map(({ how, detail }) => [how, detail])).toEqual(
      times(2, ['compiled', expect.stringMatching(/^node 26.* is not among its targets: node 24/)]),
    );
  });

  it('compiles without a warning if the artifact has no native code', async () => {
    const node = await ensureNode('26');
    const output = await build(path.join(folder, '26-only'), SAMPLE, [await createForeignNode(folder, node)]);
    expect(output.manifest.native).toEqual([]);
    const result = await run(output, LOAD + LOAD_SYNC, { node });
    expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT], warnings: [] });
    expect(result.loads).toEqual(
      times(2, {
        file: output.artifact,
        how: 'compiled',
        detail: 'the artifact holds none',
        bytes: output.manifest.wire.size,
      }),
    );
    expect(await run(output, LOAD, { node, options: { fallback: 'error' } })).toMatchObject({ end: 0 });
  });
});
