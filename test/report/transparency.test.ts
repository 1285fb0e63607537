/** Measuring a startup does not change what a program does, in particular with exported functions. */
import { describe, expect, test } from 'vitest';
import { measureStartups } from '../../src/report/measure-startups.ts';
import { ensureNode, NODE_VERSIONS } from '../support/nodes.ts';
import { createProject, type Project, run } from '../support/project.ts';
import { wat } from '../support/wat.ts';

const MODULE = wat(`(module $first
  (type $binary (func (param i64 i64) (result i64)))
  (table (export "table") 4 funcref)
  (global (export "memory_size") i32 (i32.const 1))
  (memory (export "memory") 1)
  (func (export "add") (type $binary) local.get 0 local.get 1 i64.add)
  (func (export "apply") (param i32 i64) (result i64)
    local.get 1 local.get 1 local.get 0 call_indirect (type $binary))
  (func (export "fail") unreachable)
  (func (export "odd name") (result i32) i32.const 3))`);

const IMPORTING = wat(`(module $second
  (import "first" "add" (func $add (param i64 i64) (result i64)))
  (import "first" "memory" (memory 1))
  (func (export "run") (result i64) i64.const 20 i64.const 22 call $add))`);

const COMMON = `
import { readFileSync } from 'node:fs';
const read = (name) => readFileSync(new URL(name, import.meta.url));
const module = new WebAssembly.Module(read('./first.wasm'));
const importing = new WebAssembly.Module(read('./second.wasm'));
const instance = new WebAssembly.Instance(module, {});
const { exports } = instance;
const print = (value) => console.log(JSON.stringify(value, (_, each) => typeof each === 'bigint' ? String(each) : each));
`;

const PROGRAMS: Record<string, string> = {
  'the shape of exports': `
    print([Object.keys(exports), Object.isFrozen(exports), Object.getPrototypeOf(exports), instance.exports === exports]);
    print([exports.add === exports.add, exports.add.name, exports.add.length, typeof exports.add]);
    print([String(instance), Object.keys(instance), instance instanceof WebAssembly.Instance]);
    try { exports.add = 1; } catch (error) { print(error.constructor.name); }
    try { new exports.add(); } catch (error) { print(error.constructor.name); }
    print([exports.add.call(5, 1n, 2n), exports['odd name']()]);`,
  'exports as imports of another module': `
    for (const imports of [{ first: exports }, { first: { ...exports } }, { get first() { return instance.exports; } },
      Object.freeze({ first: Object.freeze({ ...exports }) }), new Proxy({}, { get: () => exports })]) {
      print(new WebAssembly.Instance(importing, imports).exports.run());
      print((await WebAssembly.instantiate(importing, imports)).exports.run());
      print((await WebAssembly.instantiate(read('./second.wasm'), imports)).instance.exports.run());
    }`,
  'invalid imports': `
    for (const imports of [undefined, {}, { first: {} }, { first: 5 }, { first: { add: 5 } }, 5, null]) {
      try { new WebAssembly.Instance(importing, imports); } catch (error) { print([error.constructor.name, error.message]); }
      await WebAssembly.instantiate(importing, imports).catch((error) => print([error.constructor.name, error.message]));
    }`,
  'functions in tables and globals': `
    exports.table.set(0, exports.add);
    print([exports.apply(0, 21n), exports.table.get(0).name]);
    exports.table.grow(1, exports.add);
    print(exports.apply(4, 4n));
    const own = new WebAssembly.Table({ initial: 2, element: 'anyfunc' }, exports.add);
    print([own instanceof WebAssembly.Table, own.get(1)(1n, 1n), own.constructor === WebAssembly.Table]);
    const global = new WebAssembly.Global({ value: 'anyfunc', mutable: true }, exports.add);
    print(global.value(2n, 2n));
    global.value = exports.apply;
    print(global.value.name);
    try { exports.table.set(0, () => 1); } catch (error) { print([error.constructor.name, error.message]); }`,
  'a first call that fails': `
    try { exports.fail(); } catch (error) { print([error.constructor.name, error.message]); }
    try { exports.add(1, 2); } catch (error) { print([error.constructor.name, error.message]); }
    print(exports.add(1n, 2n));`,
};

async function createPrograms(): Promise<Project> {
  const scripts = Object.entries(PROGRAMS).map(([name, text]) => [
    `${name}.mjs`,
    `${COMMON}${text}\nprint(exports.add(3n, 4n));`,
  ]);
  return createProject({
    'first.wasm': MODULE,
    'second.wasm': IMPORTING,
    ...(Object.fromEntries(scripts) as Record<string, string>),
  });
}

const project = await createPrograms();

describe.each(NODE_VERSIONS)('Node %s', (version) => {
  test.each(Object.keys(PROGRAMS))('prints the same with measured startups: %s', async (name) => {
    const node = await ensureNode(version);
    const file = project.path(`${name}.mjs`);
    const expected = await run(file, { node });
    expect(expected.exitCode, expected.stderr).toBe(0);
    let output = '';
    const { exit, startups, notes } = await measureStartups([node, file], {
      cwd: '/',
      env: { NODE_OPTIONS: '' },
      output: (text) => {
        output += text;
      },
    });
    expect(output.trimEnd()).toBe(expected.stdout);
    expect(exit.code).toBe(0);
    const first = startups.find(({ module }) => module === 'first');
    expect(first?.steps.map((step) => step.name)).toEqual(['load', 'instantiate', 'first call']);
    expect(notes.filter((note) => note.startsWith('first'))).toEqual([]);
  });
});

test('code of Emscripten and wasm-bindgen works with the proxies', async () => {
  const packages = await createProject({
    'main.mjs': `
      import { readFileSync } from 'node:fs';
      import initSqlJs from 'sql.js';
      import { initWasm, Resvg } from '@resvg/resvg-wasm';
      const SQL = await initSqlJs();
      const database = new SQL.Database();
      // Puts a JavaScript function into the module's table.
      database.create_function('half', (value) => value / 2);
      console.log(JSON.stringify(database.exec('select half(84)')[0].values));
      await initWasm(readFileSync(new URL(import.meta.resolve('@resvg/resvg-wasm/index_bg.wasm'))));
      console.log(new Resvg('<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"/>').render().asPng().length > 50);
    `,
  });
  let output = '';
  const { startups, failure } = await measureStartups([process.execPath, packages.path('main.mjs')], {
    output: (text) => {
      output += text;
    },
  });
  expect(failure, output).toBeUndefined();
  expect(output).toBe('[[42]]\ntrue\n');
  expect(startups.length).toBeGreaterThanOrEqual(2);
});
