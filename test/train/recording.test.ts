/** Training records exactly the executed functions, for every way to load a module. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Project } from '../support/project.ts';
import { createProgram, ENDED, executedBy, FUNCTIONS, NODES, train } from './support.ts';

/** Ways to get the exports, as bodies of an async function. */
const WAYS = {
  'new Module and new Instance': 'return start();',
  compile: 'return new WebAssembly.Instance(await WebAssembly.compile(bytes), imports).exports;',
  'instantiate of bytes': 'return (await WebAssembly.instantiate(bytes, imports)).instance.exports;',
  'instantiate of a module':
    'return (await WebAssembly.instantiate(new WebAssembly.Module(bytes), imports)).exports;',
  'an ArrayBuffer, changed at once': `
    const copy = new Uint8Array(bytes);
    const promise = WebAssembly.instantiate(copy.buffer, imports);
    copy.fill(0);
    return (await promise).instance.exports;`,
  'a part of a buffer': `
    const larger = new Uint8Array(bytes.length + 30);
    larger.set(bytes, 10);
    return (await WebAssembly.instantiate(larger.subarray(10, 10 + bytes.length), imports)).instance.exports;`,
  'a shared buffer': `
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    return new WebAssembly.Instance(new WebAssembly.Module(shared), imports).exports;`,
  compileStreaming: `
    const response = new Response(bytes, { headers: { 'content-type': 'application/wasm' } });
    return new WebAssembly.Instance(await WebAssembly.compileStreaming(response), imports).exports;`,
  'instantiateStreaming of a promise': `
    const response = new Response(bytes, { headers: { 'content-type': 'application/wasm' } });
    return (await WebAssembly.instantiateStreaming(Promise.resolve(response), imports)).instance.exports;`,
  'a function that replaces instantiate': `
    const original = WebAssembly.instantiate;
    WebAssembly.instantiate = async (source, imports) => original(await source, imports);
    return (await WebAssembly.instantiate(bytes, imports)).instance.exports;`,
  'classes that extend Module and Instance': `
    class Module extends WebAssembly.Module {}
    class Instance extends WebAssembly.Instance {}
    return new Instance(new Module(bytes), imports).exports;`,
};

describe.each(NODES)('Node $version', ({ node }) => {
  let project: Project;
  beforeAll(async () => {
    project = await createProgram({
      ...Object.fromEntries(
        Object.entries(WAYS).map(([way, body]) => [
          `${way}.cjs`,
          `(async () => { ${body} })().then((exports) => { console.log(exports.a()); });`,
        ]),
      ),
      'run.cjs': `
        const own = start();
        for (const name of process.argv.slice(2)) attempt(() => own[name](3));
      `,
      'hot.cjs': `
        const own = start();
        own.nop();
        // V8 optimises on a background thread.
        const timer = setInterval(() => { for (let i = 0; i < 20; i++) own.hot(1000000); }, 5);
        setTimeout(() => clearInterval(timer), 600);
      `,
      'no-instance.cjs': 'new WebAssembly.Module(bytes);',
      'imported.cjs': `
        const first = start();
        const second = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { ...imports.env, other: first.a } });
        second.exports.again();
      `,
      'collected.cjs': `
        const { Session } = require('node:inspector');
        const session = new Session();
        session.connect();
        (() => start().a())();
        setTimeout(() => session.post('HeapProfiler.collectGarbage'), 50);
      `,
      'import.mjs': `
        import { readFileSync } from 'node:fs';
        const { exports } = await WebAssembly.instantiate(new WebAssembly.Module(readFileSync('sample.wasm')), {
          env: { call() {}, other() {} },
        });
        exports.escape();
      `,
      'fetch.cjs': `
        const { createServer } = require('node:http');
        const server = createServer((_, response) => response.setHeader('content-type', 'application/wasm').end(bytes));
        server.listen(0, async () => {
          const response = fetch('http://localhost:' + server.address().port + '/some/file.wasm?version=1');
          const { instance } = await WebAssembly.instantiateStreaming(response, imports);
          instance.exports.nop();
          server.close();
          server.closeAllConnections();
        });
      `,
      'starting.cjs': `
        const starting = new WebAssembly.Module(fs.readFileSync(join(__dirname, 'starting.wasm')));
        const instance = new WebAssembly.Instance(starting, { env: { call() {} } });
        if (process.argv[2]) instance.exports[process.argv[2]]();
      `,
    });
  });

  test.each(Object.keys(WAYS))('records a module from %s', async (way) => {
    const result = await train(project, [node, `${way}.cjs`]);
    expect(result).toMatchObject({ output: '1\n', exit: ENDED, problems: [] });
    expect(executedBy(result)).toEqual({ sample: ['helper', 'a'] });
  });

  test.each([
    ['no function', [], []],
    ['a function that calls no other', ['nop'], ['nop']],
    ['a call', ['b'], ['never', 'b']],
    ['an indirect call', ['indirect'], ['listed', 'indirect']],
    ['a function that traps', ['trap'], ['trap']],
    ['a function that an exception leaves', ['escape'], ['escape']],
    ['all functions', ['a', 'b', 'trap', 'escape', 'hot', 'indirect', 'nop'], Object.keys(FUNCTIONS)],
  ])('records %s', async (_, calls, executed) => {
    const result = await train(project, [node, 'run.cjs', ...calls]);
    expect(result).toMatchObject({ exit: ENDED, problems: [] });
    expect(executedBy(result)).toEqual({ sample: executed });
  });

  test('distinguishes functions that V8 optimised', async () => {
    const { modules } = await train(project, [node, 'hot.cjs']);
    expect(modules[0]?.executed).toEqual([
      { index: FUNCTIONS.hot, optimised: true },
      { index: FUNCTIONS.nop, optimised: false },
    ]);
  });

  test('records a module without instances', async () => {
    const result = await train(project, [node, 'no-instance.cjs']);
    expect(result).toMatchObject({ loaded: true, exit: ENDED, problems: [] });
    expect(executedBy(result)).toEqual({ sample: [] });
  });

  test('does not record an imported function that is exported again', async () => {
    expect(executedBy(await train(project, [node, 'imported.cjs']))).toEqual({ sample: ['helper', 'a'] });
  });

  test('records an instance that is collected before the end', async () => {
    expect(executedBy(await train(project, [node, 'collected.cjs']))).toEqual({ sample: ['helper', 'a'] });
  });

  test('records an ES module', async () => {
    expect(executedBy(await train(project, [node, 'import.mjs']))).toEqual({ sample: ['escape'] });
  });

  test('records a fetched module, without modules that Node itself loads for fetch', async () => {
    const result = await train(project, [node, 'fetch.cjs']);
    expect(result).toMatchObject({ exit: ENDED, problems: [] });
    expect(executedBy(result)).toEqual({ sample: ['nop'] });
  });

  test.each([
    ['alone', [], [1, 2]],
    ['and others', ['y'], [1, 2, 3]],
  ])('records a start function %s', async (_, calls, executed) => {
    expect(executedBy(await train(project, [node, 'starting.cjs', ...calls]))).toEqual({
      starting: executed,
    });
  });

  test.each([
    ['--disallow-code-generation-from-strings'],
    ['--allow-natives-syntax'],
    ['--no-wasm-lazy-compilation'],
    ['--frozen-intrinsics'],
    ['--max-old-space-size=200'],
  ])('records with %s', async (flag) => {
    const result = await train(project, [node, flag, '--no-warnings', 'run.cjs', 'a']);
    expect(result).toMatchObject({ exit: ENDED, problems: [], output: '' });
    expect(executedBy(result)).toEqual({ sample: ['helper', 'a'] });
  });

  test('keeps the NODE_OPTIONS of the user', async () => {
    const own = await createProgram({ 'run.cjs': 'start().a();', 'first.cjs': 'console.log("first");' });
    const result = await train(own, [node, 'run.cjs'], {
      env: { NODE_OPTIONS: `--require "${own.path('first.cjs')}"` },
    });
    expect(result.output).toBe('first\n');
    expect(executedBy(result)).toEqual({ sample: ['helper', 'a'] });
  });
});
