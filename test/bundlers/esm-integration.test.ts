/** The exports of an instance as ES module exports: https://github.com/WebAssembly/esm-integration */
import { join } from 'node:path';
import { nodeResolve } from '@rollup/plugin-node-resolve';
import { describe, expect, test } from 'vitest';
import { ALL_BUNDLERS, build, type CommonPlugin } from '../support/bundlers.ts';
import { ensureNode } from '../support/nodes.ts';
import { CHECKOUT, createProject, type Files, runWell } from '../support/project.ts';
import { wat, watOfValue, watString } from '../support/wat.ts';

/** Builds and runs a program that calls `print` with its result, and returns that result. */
async function resultOf(bundler: (typeof ALL_BUNDLERS)[number], files: Files): Promise<unknown> {
  const project = await createProject({
    'print.js': 'export const print = (value) => console.log(JSON.stringify(value));',
    ...files,
  });
  // Packages for bundlers omit file name extensions, which Rollup does not resolve by itself.
  const plugins = bundler === 'rollup' ? [nodeResolve() as CommonPlugin] : [];
  const { dir } = await build(bundler, project, { plugins });
  const { result, loads } = await runWell(join(dir, 'main.js'));
  expect(loads.length).toBeGreaterThan(0);
  for (const { how } of loads) expect(how).toBe('precompiled');
  return result;
}

/** Farm does not support string names of imports and exports. */
const takesAnyName = (bundler: string) => bundler !== 'farm';

/** Returns the message of the error that a build must end with. Some bundlers escape its quotation marks. */
async function failure(building: Promise<unknown>): Promise<string> {
  const error = await building.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Error)) throw new Error('The build did not fail');
  return error.message.replaceAll('\\"', '"');
}

describe.each(ALL_BUNDLERS)('%s', (bundler) => {
  test('exports every kind of entity, and globals as their values', async () => {
    const result = await resultOf(bundler, {
      'all.wasm': wat(`(module
        (memory (export "memory") 2)
        (table (export "table") 3 funcref)
        (tag (export "tag") (param i32))
        (global (export "i32") i32 (i32.const -5))
        (global (export "i64") i64 (i64.const 9007199254740993))
        (global (export "f32") f32 (f32.const 1.5))
        (global (export "f64") (mut f64) (f64.const 0.1))
        (global (export "none") externref (ref.null extern))
        (func (export "pair") (param i64) (result i64 f32) local.get 0 f32.const 2))`),
      'main.js': `
        import { print } from './print.js';
        import { memory, table, tag, i32, i64, f32, f64, none, pair } from './all.wasm';
        print([
          memory.buffer.byteLength, table.length, tag instanceof WebAssembly.Tag,
          i32, String(i64), typeof i64, f32, f64, none, pair(7n).map(String),
        ]);
      `,
    });
    expect(result).toEqual([131072, 3, true, -5, '9007199254740993', 'bigint', 1.5, 0.1, null, ['7', '2']]);
  });

  test('passes globals between wasm modules as WebAssembly.Global objects', async () => {
    const result = await resultOf(bundler, {
      'lib/counter.wasm': wat(`(module
        (global $count (export "count") (mut i32) (i32.const 10))
        (global (export "limit") i32 (i32.const 99))
        (memory (export "memory") 1)
        (table (export "table") 2 funcref)
        (func (export "increment") (global.set $count (i32.add (global.get $count) (i32.const 1)))))`),
      'user.wasm': wat(`(module
        (import "./lib/counter.wasm" "count" (global $count (mut i32)))
        (import "./lib/counter.wasm" "limit" (global $limit i32))
        (import "./lib/counter.wasm" "increment" (func $increment))
        (import "./lib/counter.wasm" "memory" (memory 1))
        (import "./lib/counter.wasm" "table" (table 1 funcref))
        (export "count" (global $count))
        (func (export "read") (result i32) global.get $count)
        (func (export "double") (global.set $count (i32.mul (global.get $count) (i32.const 2))))
        (func (export "limit") (result i32) global.get $limit)
        (func (export "twice") call $increment call $increment)
        (func (export "store") (param i32) i32.const 0 local.get 0 i32.store))`),
      'main.js': `
        import { print } from './print.js';
        import { count, increment, memory } from './lib/counter.wasm';
        import { read, double, twice, limit, store, count as again } from './user.wasm';
        increment();
        const seen = [count, again, read()];
        double();
        twice();
        store(77);
        print([...seen, read(), limit(), new Int32Array(memory.buffer)[0]]);
      `,
    });
    expect(result).toEqual([10, 10, 11, 24, 99, 77]);
  });

  test('resolves imports as JavaScript modules, relative to the wasm file', async () => {
    const result = await resultOf(bundler, {
      'deep/module.wasm': wat(`(module
        (import "./beside.js" "f" (func $f (result i32)))
        (import "../above.js" "default" (func $g (result i32)))
        (import "./beside.js" "count" (global $count (mut i32)))
        (import "./beside.js" "constant" (global $constant f64))
        (import "./beside.js" "memory" (memory 1))
        (import "../above.js" "odd" (func $odd))
        (import "node:os" "EOL" (global $eol externref))
        (func (export "run") (result i32 f64 externref)
          call $odd
          (global.set $count (i32.add (call $f) (call $g)))
          (i32.load (i32.const 4))
          global.get $constant
          global.get $eol))`),
      'deep/beside.js': `
        export const f = () => 20;
        export const count = new WebAssembly.Global({ value: 'i32', mutable: true }, 0);
        export const constant = 2.5;
        export const memory = new WebAssembly.Memory({ initial: 1 });
        new Int32Array(memory.buffer)[1] = 5;
      `,
      'above.js': `
        export let calls = 0;
        const odd = () => { calls++ };
        export { odd };
        export default () => 3;
      `,
      'main.js': `
        import { print } from './print.js';
        import { run } from './deep/module.wasm';
        import { count } from './deep/beside.js';
        import { calls } from './above.js';
        const results = run();
        print([...results, count.value, calls]);
      `,
    });
    expect(result).toEqual([5, 2.5, '\n', 23, 1]);
  });

  test.runIf(takesAnyName(bundler))('exports names that are not identifiers', async () => {
    const names = [
      'with space',
      '',
      '1st',
      'class',
      'a-b',
      '日本',
      '"\'`\\',
      '${x}',
      '\u2028',
      'arguments',
      'then',
      '__proto__',
    ];
    const result = await resultOf(bundler, {
      'names.wasm': wat(
        `(module ${names.map((name, index) => `(func (export ${watString(name)}) (result i32) i32.const ${index})`).join('\n')}
          (global (export "global name") i32 (i32.const 100)))`,
      ),
      'main.js': `
        import { print } from './print.js';
        import {
          ${names.map((name, index) => `${JSON.stringify(name)} as f${index}`).join(', ')},
          'global name' as value,
        } from './names.wasm';
        print([${names.map((_, index) => `f${index}()`).join(', ')}, value]);
      `,
    });
    expect(result).toEqual([...names.keys(), 100]);
  });

  test.runIf(takesAnyName(bundler))('imports names that are not identifiers', async () => {
    const result = await resultOf(bundler, {
      'odd.js': `
        const f = () => 5;
        export { f as '__proto__', f as 'constructor', f as 'odd name' };
      `,
      'odd.wasm': wat(`(module
        (import "./odd.js" "__proto__" (func $f (result i32)))
        (import "./odd.js" "constructor" (func $g (result i32)))
        (import "./odd.js" "odd name" (func $h (result i32)))
        (func (export "sum") (result i32) (i32.add (call $f) (i32.add (call $g) (call $h)))))`),
      'main.js': `
        import { print } from './print.js';
        import { sum } from './odd.wasm';
        print(sum());
      `,
    });
    expect(result).toBe(15);
  });

  test.each([
    ['function', '(func (export "default") (result i32) i32.const 8)', 'value()'],
    ['global', '(global (export "default") i32 (i32.const 8))', 'value'],
  ])('exports a %s named default as the default export', async (_, field, expression) => {
    const result = await resultOf(bundler, {
      'default.wasm': wat(`(module ${field} (func (export "other") (result i32) i32.const 9))`),
      'main.js': `
        import { print } from './print.js';
        import value, { other } from './default.wasm';
        print([${expression}, other()]);
      `,
    });
    expect(result).toEqual([8, 9]);
  });

  test('loads a module with a v128 global, whose value JavaScript cannot represent', async () => {
    const result = await resultOf(bundler, {
      'simd.wasm': wat(`(module
        (global $vector (export "vector") v128 (v128.const i32x4 1 2 3 4))
        (func (export "lane") (result i32) (i32x4.extract_lane 2 (global.get $vector))))`),
      'lanes.wasm': wat(`(module
        (import "./simd.wasm" "vector" (global $vector v128))
        (func (export "lane") (result i32) (i32x4.extract_lane 3 (global.get $vector))))`),
      'main.js': `
        import { print } from './print.js';
        import * as simd from './simd.wasm';
        import { lane } from './lanes.wasm';
        print([simd.lane(), lane(), typeof simd.vector]);
      `,
    });
    expect(result).toEqual([3, 4, 'undefined']);
  });

  test('runs the start function once, before the importing module', async () => {
    const result = await resultOf(bundler, {
      'log.js': 'export const lines = []; export const log = (line) => { lines.push(line) };',
      'start.wasm': wat(`(module
        (import "./log.js" "log" (func $log (param i32)))
        (global (export "answer") i32 (i32.const 42))
        (func $main i32.const 1 call $log)
        (start $main))`),
      'other.wasm': wat(`(module
        (import "./start.wasm" "answer" (global $answer i32))
        (import "./log.js" "log" (func $log (param i32)))
        (func $main global.get $answer call $log)
        (start $main))`),
      'other.js': `
        import { log } from './log.js';
        import { answer } from './start.wasm';
        log(answer + 1);
      `,
      'main.js': `
        import { print } from './print.js';
        import './start.wasm';
        import './other.wasm';
        import './other.js';
        import { lines } from './log.js';
        print(lines);
      `,
    });
    // webpack and Rspack evaluate modules without top-level await first. Farm does not await modules that are
    // imported only for their side effects.
    const others = { webpack: [1, 43, 42], rspack: [1, 43, 42], farm: [1, 43] };
    expect(result).toEqual(bundler in others ? others[bundler as keyof typeof others] : [1, 42, 43]);
  });

  test('supports namespace imports and re-exports', async () => {
    const result = await resultOf(bundler, {
      'math.wasm': wat(`(module
        (global (export "answer") i32 (i32.const 42))
        (func (export "one") (result i32) i32.const 1)
        (func (export "default") (result i32) i32.const 2))`),
      'barrel.js': "export * from './math.wasm'; export * as all from './math.wasm';",
      'main.js': `
        import { print } from './print.js';
        import * as math from './math.wasm';
        import * as barrel from './barrel.js';
        const later = await import('./math.wasm');
        print([
          Object.keys(math).sort(), Object.keys(barrel).sort(), math.answer, barrel.answer,
          barrel.all.default(), later.one(), later.answer, later.one === math.one,
        ]);
      `,
    });
    expect(result).toEqual([['answer', 'default', 'one'], ['all', 'answer', 'one'], 42, 42, 2, 1, 42, true]);
  });

  test('loads a module without imports and exports', async () => {
    const result = await resultOf(bundler, {
      'empty.wasm': wat('(module (func nop))'),
      'main.js': `
        import { print } from './print.js';
        import * as empty from './empty.wasm';
        print(Object.keys(empty));
      `,
    });
    expect(result).toEqual([]);
  });

  test('loads a module without functions, which has no native code', async () => {
    const project = await createProject({
      'data.wasm': wat('(module (memory (export "memory") 1) (data (i32.const 0) "\\07"))'),
      'main.js': `
        import { memory } from './data.wasm';
        console.log(new Uint8Array(memory.buffer)[0]);
      `,
    });
    const { dir, warnings } = await build(bundler, project);
    const { result, loads, stderr } = await runWell(join(dir, 'main.js'));
    expect(result).toBe(7);
    expect(loads).toMatchObject([{ how: 'compiled' }]);
    expect(stderr).not.toContain('WASM_PRECOMPILE_FALLBACK');
    expect(warnings).toEqual([]);
  });

  test('loads cycles between a module and its JavaScript from both entries', async () => {
    const files = {
      'cycle.js': `
        import { memory, answer, get, set } from './cycle.wasm';
        // Not \`let\`: the start function calls this function before this module is evaluated.
        var calls;
        export function greet(value) { calls = (calls ?? 0) + 1; return value + 1; }
        export const use = () => [memory.buffer.byteLength, answer, set(20), get(), calls];
      `,
      'cycle.wasm': wat(`(module
        (import "./cycle.js" "greet" (func $greet (param i32) (result i32)))
        (memory (export "memory") 1)
        (global (export "answer") i32 (i32.const 42))
        (global $value (mut i32) (i32.const 0))
        (func (export "get") (result i32) global.get $value)
        (func (export "set") (param i32) (result i32)
          (global.set $value (call $greet (local.get 0)))
          global.get $value)
        (func $main (global.set $value (call $greet (i32.const 1))))
        (start $main))`),
    };
    const scriptFirst = await resultOf(bundler, {
      ...files,
      'main.js': `
        import { print } from './print.js';
        import { use } from './cycle.js';
        print(use());
      `,
    });
    expect(scriptFirst).toEqual([65536, 42, 21, 21, 2]);

    const wasmFirst = await resultOf(bundler, {
      ...files,
      'main.js': `
        import { print } from './print.js';
        import { get } from './cycle.wasm';
        import { use } from './cycle.js';
        print([get(), ...use()]);
      `,
    });
    expect(wasmFirst).toEqual([2, 65536, 42, 21, 21, 2]);
  });

  test('imports hoisted JavaScript functions with their values before evaluation', async () => {
    const result = await resultOf(bundler, {
      'cycle.js': `
        import { call } from './cycle.wasm';
        export function f() { return 42; }
        export const before = f;
        f = () => 24;
        export const result = [call(), f()];
      `,
      'cycle.wasm': wat(`(module
        (import "./cycle.js" "f" (func $f (result i32)))
        (func (export "call") (result i32) call $f))`),
      'main.js': `
        import { print } from './print.js';
        import { result } from './cycle.js';
        print(result);
      `,
    });
    expect(result).toEqual([42, 24]);
  });

  test('shares one table and one memory between modules, which each initialises in part', async () => {
    const result = await resultOf(bundler, {
      'shared.wasm': wat(`(module
        (memory (export "memory") 1 4 shared)
        (table (export "table") 3 funcref)
        (elem (i32.const 0) $own)
        (func $own (result i32) i32.const 1))`),
      'other.wasm': wat(`(module
        (import "./shared.wasm" "memory" (memory 1 4 shared))
        (import "./shared.wasm" "table" (table $table 3 funcref))
        (type $t (func (result i32)))
        (elem (i32.const 1) $own)
        (data (i32.const 8) "\\07")
        (func $own (result i32) i32.const 2)
        (func (export "through") (param i32) (result i32) (call_indirect (type $t) (local.get 0))))`),
      'main.js': `
        import { print } from './print.js';
        import { memory, table } from './shared.wasm';
        import { through } from './other.wasm';
        print([
          new Uint8Array(memory.buffer)[8], memory.buffer instanceof SharedArrayBuffer,
          through(0), through(1), table.get(1)(), table.get(2),
        ]);
      `,
    });
    expect(result).toEqual([7, true, 1, 2, 2, null]);
  });

  test.each([
    ['JavaScript', 'other.js', 'export const there = 1;'],
    ['another wasm module', 'other.wasm', watOfValue(1)],
  ])('names the import that %s does not export', async (_, name, content) => {
    const project = await createProject({
      [name]: content,
      'broken.wasm': wat(`(module (import "./${name}" "absent" (func)))`),
      'main.js': "import './broken.wasm';",
    });
    const message = await build(bundler, project).then(
      ({ warnings }) => warnings.join('\n'),
      (error: Error) => error.message,
    );
    if (bundler === 'farm') return;
    expect(message).toContain('absent');
    expect(message).toContain(name);
    // The other bundlers print the file beside the message.
    if (['vite', 'rollup', 'rolldown'].includes(bundler)) expect(message).toContain('broken.wasm');
  });

  test.each([
    ['exports', '(func (export "wasm:f"))', 'exports "wasm:f"'],
    ['imports', '(import "./f.js" "wasm-js:f" (func))', 'imports "wasm-js:f" from "./f.js"'],
    ['imports', '(import "wasm-js:x" "f" (func))', 'imports "f" from "wasm-js:x"'],
  ])('refuses a module that %s a reserved name', async (_, field, says) => {
    const project = await createProject({
      'f.js': "const f = () => {}; export { f as 'wasm-js:f' };",
      'reserved.wasm': wat(`(module ${field})`),
      'main.js': "import './reserved.wasm';",
    });
    expect(await failure(build(bundler, project))).toContain(
      `${project.path('reserved.wasm')} ${says}: names`,
    );
  });

  test('refuses builtins that no engine supports', async () => {
    const project = await createProject({
      'string.wasm': wat('(module (import "wasm:js-string" "reverse" (func)))'),
      'main.js': "import './string.wasm';",
    });
    expect(await failure(build(bundler, project))).toContain(
      `${project.path('string.wasm')} imports "reverse" from "wasm:js-string", which cannot be resolved`,
    );
  });

  test('names the import that does not exist and its wasm file', async () => {
    const project = await createProject({
      'broken.wasm': wat('(module (import "./missing.js" "f" (func)))'),
      'main.js': "import './broken.wasm';",
    });
    await expect(build(bundler, project)).rejects.toThrow(
      /\.\/missing\.js[^]*broken\.wasm|broken\.wasm[^]*\.\/missing\.js/,
    );
  });

  test('rethrows the error of a start function', async () => {
    const result = await resultOf(bundler, {
      'trap.wasm': wat('(module (func $main unreachable) (start $main))'),
      'main.js': `
        import { print } from './print.js';
        print(await import('./trap.wasm').then(() => 'started', (error) => error.constructor.name));
      `,
    });
    expect(result).toBe('RuntimeError');
  });

  test.each(['22', '24', '26'] as const)(
    'compiles modules that use JS string builtins at startup, on Node %s',
    async (version) => {
      const project = await createProject({
        'string.wasm': wat(`(module
        (import "wasm:js-string" "length" (func $length (param externref) (result i32)))
        (func (export "length") (param externref) (result i32) local.get 0 call $length))`),
        'main.js': `
        import { length } from './string.wasm';
        import init from './string.wasm?init';
        import module from './string.wasm?module';
        const { exports } = await init();
        console.log(JSON.stringify([
          length('four'), exports.length('to'), WebAssembly.Module.imports(module).length,
        ]));
      `,
      });
      const node = await ensureNode(version);
      const { dir, warnings } = await build(bundler, project, { plugin: { targets: [node] } });
      // Bun has no warnings of plugins.
      if (bundler !== 'bun') {
        expect(warnings).toEqual([expect.stringMatching(/string\.wasm.*JS string builtins/)]);
      }
      // Node 22 enables them with a flag.
      const nodeArgs = version === '22' ? ['--experimental-wasm-imported-strings'] : [];
      const { result, loads } = await runWell(join(dir, 'main.js'), { node, nodeArgs });
      expect(result).toEqual([4, 2, 0]);
      expect(new Set(loads.map(({ how }) => how))).toEqual(new Set(['compiled']));
    },
  );

  test.each([
    ['of the ESM integration', 'wasm:js/string-constants'],
    ['of compilers', "'"],
  ])('provides string constants by the module name %s', async (_, module) => {
    const project = await createProject({
      'constants.wasm': wat(`(module
        (import "${module}" "hello" (global $hello externref))
        (import "${module}" "__proto__" (global $proto externref))
        (import "./there.js" "there" (global $there externref))
        (func (export "all") (result externref externref externref)
          global.get $hello global.get $proto global.get $there))`),
      'there.js': "export const there = 'there';",
      'main.js': `
        import { all } from './constants.wasm';
        console.log(JSON.stringify(all()));
      `,
      'init.js': `
        import init from './constants.wasm?init';
        const { exports } = await init({ './there.js': { there: 'here' } });
        console.log(JSON.stringify(exports.all()));
      `,
    });
    const node = await ensureNode('24');
    const { dir } = await build(bundler, project);
    for (const executable of [process.execPath, node]) {
      const { result, loads } = await runWell(join(dir, 'main.js'), { node: executable });
      expect(result).toEqual(['hello', '__proto__', 'there']);
      expect(loads.map(({ how }) => how)).toEqual(['compiled']);
    }
    const other = await build(bundler, project, { entry: 'init.js', output: { dir: 'init' } });
    const { result } = await runWell(join(other.dir, 'init.js'), { node });
    expect(result).toEqual(['hello', '__proto__', 'here']);
  });

  test('gives the results of Node without a bundler', async () => {
    const project = await createProject({
      'counter.wasm': wat(`(module
        (import "./log.js" "log" (func $log (param i32)))
        (import "./log.js" "start" (global $start (mut i32)))
        (import "./log.js" "limit" (global $limit i64))
        (export "start" (global $start))
        (export "limit" (global $limit))
        (memory (export "memory") 1)
        (table (export "table") 2 funcref)
        (elem (i32.const 1) $increment)
        (global $count (export "count") (mut i32) (i32.const 1))
        (global (export "vector") v128 (v128.const i32x4 1 2 3 4))
        (global (export "default") f64 (f64.const 0.5))
        (func $increment (export "increment") (result i32)
          (global.set $count (i32.add (global.get $count) (i32.const 1)))
          (global.get $count))
        (func $main (call $log (global.get $start)) (global.set $start (i32.const 8)))
        (start $main))`),
      'strings.wasm': wat(`(module
        (import "./counter.wasm" "count" (global $count (mut i32)))
        (import "./counter.wasm" "increment" (func $increment (result i32)))
        (import "wasm:js-string" "length" (func $length (param externref) (result i32)))
        (export "again" (func $increment))
        (func (export "sum") (param externref) (result i32)
          (i32.add (global.get $count) (call $length (local.get 0)))))`),
      'log.js': `
        export const lines = [];
        export const log = (line) => { lines.push(line) };
        export const start = new WebAssembly.Global({ value: 'i32', mutable: true }, 7);
        export const limit = 2n ** 40n;
      `,
      'barrel.js': "export * from './counter.wasm'; export { default as half } from './counter.wasm';",
      'main.js': `
        import * as counter from './counter.wasm';
        import half, { count, increment, table } from './counter.wasm';
        import * as barrel from './barrel.js';
        import { again, sum } from './strings.wasm';
        import { lines, start } from './log.js';
        increment();
        again();
        const described = Object.keys(counter).sort().map((name) => {
          const value = counter[name];
          return [name, typeof value, typeof value === 'object' ? value.constructor.name : String(value)];
        });
        console.log(JSON.stringify([
          described, count, counter.count, half, barrel.half, barrel.count, Object.keys(barrel).sort(),
          table.get(1) === increment, again === increment, sum('four'), lines, start.value,
          (await import('./counter.wasm')).increment === increment,
        ]));
      `,
    });
    const node = await ensureNode('26');
    const nodes = await runWell(project.path('main.js'), { node });
    const { dir } = await build(bundler, project, { plugin: { targets: [node] } });
    const ours = await runWell(join(dir, 'main.js'), { node });
    // The plugin's runtime was not involved.
    expect(nodes.loads).toEqual([]);
    expect(ours.result).toEqual(nodes.result);
    expect(ours.loads.map(({ how }) => how).toSorted()).toEqual(['compiled', 'precompiled']);
  });

  test("runs wasm-bindgen's output for bundlers, whose module and JavaScript import each other", async () => {
    const result = await resultOf(bundler, {
      'main.js': `
        import { print } from './print.js';
        import RAPIER from ${packageFile('@dimforge/rapier2d/rapier.js')};
        const world = new RAPIER.World({ x: 0, y: -9.81 });
        world.createCollider(RAPIER.ColliderDesc.cuboid(10, 0.1));
        const body = world.createRigidBody(RAPIER.RigidBodyDesc.newDynamic().setTranslation(0, 1));
        world.createCollider(RAPIER.ColliderDesc.cuboid(0.5, 0.5), body.handle);
        for (let step = 0; step < 120; step++) world.step();
        print(Math.round(body.translation().y * 10) / 10);
      `,
    });
    expect(result).toBe(0.6);
  });

  test("runs wasm-bindgen's newer output for bundlers", async () => {
    const result = await resultOf(bundler, {
      'main.js': `
        import { print } from './print.js';
        import { get_encoding } from ${packageFile('tiktoken/tiktoken.js')};
        const encoding = get_encoding('gpt2');
        print([...encoding.encode('hello wasm')]);
      `,
    });
    expect(result).toEqual([31373, 373, 76]);
  });
});

/** Returns the absolute path of a package's file as a string literal: bundlers do not externalise it. */
function packageFile(path: string): string {
  return JSON.stringify(join(CHECKOUT, 'node_modules', path));
}
