/** The import forms of programs for Node, in every bundler (and every version of Vite) and every Node version. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  ALL_BUNDLERS,
  type BuildResult,
  build,
  BUNDLERS,
  type CommonPlugin,
  OLDER_VITES,
} from '../support/bundlers.ts';
import { ensureNode, NODE_VERSIONS } from '../support/nodes.ts';
import { createProject, type Project, run, runWell, wasmPrecompile } from '../support/project.ts';
import { wat } from '../support/wat.ts';

/** The node that runs the tests and builds comes first. */
const NODES = [
  { name: `the building Node ${process.version}`, node: process.execPath, how: 'precompiled' },
  ...(await Promise.all(
    NODE_VERSIONS.map(async (version) => ({
      name: `Node ${version}`,
      node: await ensureNode(version),
      // V8 14 removed the natives that serialize and deserialize native code.
      how: version === '26' ? 'compiled' : 'precompiled',
    })),
  )),
];

const TARGETS = ['host', ...NODES.filter(({ how }) => how === 'precompiled').map(({ node }) => node)];

/** The work that the program does with its modules, independent of how it obtains them. */
const USE = `
import initSqlJs from 'sql.js';
import { initWasm, Resvg } from '@resvg/resvg-wasm';

export async function use(initSql, resvgModule, math) {
  const SQL = await initSqlJs({
    instantiateWasm(imports, done) {
      initSql(imports).then(done);
      return {};
    },
  });
  const db = new SQL.Database();
  db.run('CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 2), (3, 4)');
  const rows = db.exec('SELECT sum(a * b), upper(\\'done\\') FROM t')[0].values;

  await initWasm(resvgModule);
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><circle cx="9" cy="9" r="7"/></svg>';
  const png = Buffer.from(new Resvg(svg).render().asPng()).toString('base64');

  let trapped;
  try { math.load(-4) } catch (error) { trapped = error instanceof WebAssembly.RuntimeError && error.message }
  return { rows, png, sum: math.add(2, 3), answer: math.answer, memory: math.memory instanceof WebAssembly.Memory, trapped };
}
`;

const FILES = {
  'use.js': USE,
  'env.js': 'export const offset = () => 1000;',
  'math.wasm': wat(`(module
    (import "./env.js" "offset" (func $offset (result i32)))
    (global (export "answer") i32 (i32.const 42))
    (memory (export "memory") 1)
    (func (export "load") (param i32) (result i32) local.get 0 i32.load)
    (func (export "add") (param i32 i32) (result i32)
      local.get 0 local.get 1 i32.add call $offset i32.add))`),
  'main.js': `
    import initSql from 'sql.js/dist/sql-wasm.wasm?init';
    import resvgModule from '@resvg/resvg-wasm/index_bg.wasm?module';
    import { add, answer, load, memory } from './math.wasm';
    import { use } from './use.js';
    console.log(JSON.stringify(await use(initSql, resvgModule, { add, answer, load, memory })));
  `,
  'baseline.js': `
    import { readFileSync } from 'node:fs';
    import { createRequire } from 'node:module';
    import * as env from './env.js';
    import { use } from './use.js';
    const read = (name) => readFileSync(createRequire(import.meta.url).resolve(name));
    const initSql = async (imports) =>
      (await WebAssembly.instantiate(read('sql.js/dist/sql-wasm.wasm'), imports)).instance;
    const math = (await WebAssembly.instantiate(read('./math.wasm'), { './env.js': env })).instance.exports;
    const resvg = read('@resvg/resvg-wasm/index_bg.wasm');
    console.log(JSON.stringify(await use(initSql, resvg, { ...math, answer: math.answer.value })));
  `,
};

describe.each([...ALL_BUNDLERS, ...OLDER_VITES])('%s', (bundler) => {
  let project: Project;
  let built: BuildResult;

  beforeAll(async () => {
    project = await createProject(FILES);
    built = await build(bundler, project, { plugin: { targets: TARGETS } });
  });

  test.each(NODES)('$name gives the results of the baseline, every module $how', async ({ node, how }) => {
    const baseline = await runWell(project.path('baseline.js'), { node });
    const { result, loads, stderr } = await runWell(join(built.dir, 'main.js'), { node });

    expect(result).toEqual(baseline.result);
    expect(result).toMatchObject({
      sum: 1005,
      answer: 42,
      memory: true,
      trapped: 'memory access out of bounds',
    });
    expect(loads.map((load) => load.how)).toEqual([how, how, how]);
    if (how === 'precompiled') {
      expect(stderr).not.toContain('WASM_PRECOMPILE_FALLBACK');
      for (const { detail } of loads)
        expect(detail).toMatch(/^v8-[\w.-]+-linux-x64-[0-9a-f]{8}-[0-9a-f]{8}$/);
    } else {
      expect(stderr.match(/WASM_PRECOMPILE_FALLBACK/g)).toHaveLength(1);
      for (const { detail } of loads)
        expect(detail).toMatch(/^node \S+ \(v8-14\.\S+\) is not among its targets: /);
    }
  });

  test('builds without a warning', () => {
    expect(built.warnings).toEqual([]);
  });

  test('emits one ELF file for each module and no wasm file', () => {
    const names = built.artifacts.map((file) => file.replace(/^.*\//, '').replace(/-[\w-]{8}\.elf$/, ''));
    expect(names.toSorted()).toEqual(['index_bg', 'math', 'sql-wasm']);
    expect(built.files.filter((file) => file.endsWith('.wasm'))).toEqual([]);
    for (const file of built.artifacts) {
      expect(readFileSync(join(built.dir, file)).subarray(0, 4).toString('latin1')).toBe('\x7fELF');
    }
  });

  test('emits artifacts that `wasm-precompile inspect` reads', async () => {
    const file = built.artifacts.find((name) => name.includes('math')) ?? '';
    const summary: unknown = JSON.parse(await wasmPrecompile('inspect', '--json', join(built.dir, file)));
    expect(summary).toMatchObject({
      form: 'artifact',
      machine: 'x64',
      interface: {
        imports: [{ module: './env.js', name: 'offset', kind: 'function' }],
        exports: [{ name: 'answer' }, { name: 'memory' }, { name: 'load' }, { name: 'add' }],
      },
    });
    const { native } = summary as { native: { engine: string }[] };
    const versions = native.map(({ engine }) => engine.split('.', 2).join('.'));
    expect([...new Set(versions)].toSorted()).toEqual(['v8-11.3', 'v8-12.4', 'v8-13.6']);
  });

  test('compiles a module once for all instances that ?init creates', async () => {
    const counter = await createProject({
      'counter.wasm': wat(`(module
        (global $count (mut i32) (i32.const 0))
        (func (export "next") (result i32)
          (global.set $count (i32.add (global.get $count) (i32.const 1)))
          (global.get $count)))`),
      'main.js': `
        import init from './counter.wasm?init';
        const [a, b] = await Promise.all([init(), init({})]);
        a.exports.next();
        console.log(JSON.stringify([a instanceof WebAssembly.Instance, a.exports.next(), b.exports.next()]));
      `,
    });
    const { dir } = await build(bundler, counter);
    const { result, loads } = await runWell(join(dir, 'main.js'));
    expect(result).toEqual([true, 2, 1]);
    expect(loads).toHaveLength(1);
  });

  test('exports a regular WebAssembly.Module for ?module', async () => {
    const modules = await createProject({
      'math.wasm': FILES['math.wasm'],
      'main.js': `
        import module from './math.wasm?module';
        const { exports } = new WebAssembly.Instance(module, { './env.js': { offset: () => 1 } });
        console.log(JSON.stringify({
          regular: module instanceof WebAssembly.Module,
          imports: WebAssembly.Module.imports(module),
          exports: WebAssembly.Module.exports(module).map(({ name }) => name),
          cloned: structuredClone(module) instanceof WebAssembly.Module,
          sum: exports.add(1, 1),
        }));
      `,
    });
    const { dir } = await build(bundler, modules);
    expect((await runWell(join(dir, 'main.js'))).result).toEqual({
      regular: true,
      imports: [{ module: './env.js', name: 'offset', kind: 'function' }],
      exports: ['answer', 'memory', 'load', 'add'],
      cloned: true,
      sum: 3,
    });
  });

  test('ships one artifact for a module that is imported in several forms', async () => {
    const forms = await createProject({
      'one.wasm': wat('(module (func (export "one") (result i32) i32.const 1))'),
      'main.js': `
        import init from './one.wasm?init';
        import module from './one.wasm?module';
        import { one } from './one.wasm';
        console.log(JSON.stringify([
          one(), (await init()).exports.one(), new WebAssembly.Instance(module).exports.one(),
        ]));
      `,
    });
    const { dir, artifacts } = await build(bundler, forms);
    expect(artifacts).toHaveLength(1);
    const { result, loads } = await runWell(join(dir, 'main.js'));
    expect(result).toEqual([1, 1, 1]);
    expect(new Set(loads.map(({ how }) => how))).toEqual(new Set(['precompiled']));
  });

  // Bun's bundler does not ask plugins whether a module has side effects.
  test.skipIf(bundler === 'bun')('removes a module that is imported and not used', async () => {
    const unused = await createProject({
      'one.wasm': wat('(module (func (export "one") (result i32) i32.const 1))'),
      'main.js': `
        import init from './one.wasm?init';
        console.log(JSON.stringify('done'));
      `,
    });
    const { dir } = await build(bundler, unused);
    expect((await unused.read('out/main.js')).toString()).not.toContain('fromArtifact');
    expect((await runWell(join(dir, 'main.js'))).loads).toEqual([]);
  });
});

describe.each([...BUNDLERS, ...OLDER_VITES])('%s', (bundler) => {
  /** Replaces a user's plugin that turns `?url` imports into URLs; Vite has its own. */
  const urls: CommonPlugin = {
    name: 'urls',
    resolveId: (id) => (id.endsWith('.wasm?url') ? `\0${id}` : undefined),
    load: (id) =>
      id.endsWith('.wasm?url') ? `export default ${JSON.stringify(`/files/${id.slice(1)}`)}` : undefined,
  };

  test('builds ?url, and new URL() with `detect: false`, as it does without the plugin', async () => {
    const project = await createProject({
      'one.wasm': wat('(module (func (export "one") (result i32) i32.const 1))'),
      'main.js': `
        import url from './one.wasm?url';
        console.log(JSON.stringify([url, new URL('./one.wasm', import.meta.url).pathname.split('/').at(-1)]));
      `,
    });
    const options = {
      plugins: bundler.startsWith('vite') ? [] : [urls],
      vite: { build: { assetsInlineLimit: 0, ssrEmitAssets: true } },
    };
    const without = await build(bundler, project, { ...options, plugin: false, output: { dir: 'without' } });
    const withIt = await build(bundler, project, {
      ...options,
      plugin: { detect: false },
      output: { dir: 'with' },
    });

    expect(withIt.files).toEqual(without.files);
    expect(withIt.artifacts).toEqual([]);
    for (const file of without.files) {
      expect((await project.read('with', file)).equals(await project.read('without', file))).toBe(true);
    }
    const { result, loads } = await runWell(join(withIt.dir, 'main.js'));
    expect(result).toEqual([expect.stringMatching(/one.*\.wasm/), 'one.wasm']);
    expect(loads).toEqual([]);
  });
});

// Older versions of Vite have no named exports.
test("gives the results of Vite's built-in plugin", async () => {
  const project = await createProject({
    'env.js': 'export const offset = () => 1000;',
    'math.wasm': FILES['math.wasm'],
    'main.js': `
      import init from './math.wasm?init';
      import * as math from './math.wasm';
      const { exports } = await init({ './env.js': { offset: () => 1 } });
      const describe = (value) => typeof value === 'object' ? value.constructor.name : typeof value;
      console.log(JSON.stringify([
        math.add(1, 2), math.answer, exports.add(1, 2), exports.answer.value,
        Object.keys(math), Object.values(math).map(describe),
      ]));
    `,
  });
  const vite = { build: { assetsInlineLimit: 0, ssrEmitAssets: true } };
  const own = await build('vite', project, { plugin: false, vite, output: { dir: 'own' } });
  const ours = await build('vite', project, { vite, output: { dir: 'ours' } });

  const expected = await run(join(own.dir, 'main.js'));
  const actual = await runWell(join(ours.dir, 'main.js'));
  expect(actual.stdout).toBe(expected.stdout);
  expect(actual.loads.map(({ how }) => how)).toEqual(['precompiled', 'precompiled']);
});
