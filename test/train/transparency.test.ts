/** Recording does not change the behaviour of a program. */
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { createProject } from '../support/project.ts';
import { ensureRuntime } from '../support/runtimes.ts';
import { createProgram, NODES, train } from './support.ts';

/** Prints everything about `WebAssembly` that a program can observe. */
const LOOK = `
  process.env.NODE_OPTIONS = '';
  const seen = {};
  const { compile, instantiate } = WebAssembly;
  for (const name of Object.getOwnPropertyNames(WebAssembly)) {
    const { value, ...flags } = Object.getOwnPropertyDescriptor(WebAssembly, name);
    seen[name] = { flags, type: typeof value, name: value?.name, length: value?.length, own: Object.getOwnPropertyNames(value ?? {}).sort() };
  }
  const sample = new WebAssembly.Module(bytes);
  const instance = new WebAssembly.Instance(sample, imports);
  seen.objects = [
    sample instanceof WebAssembly.Module, sample.constructor === WebAssembly.Module,
    Object.getPrototypeOf(sample) === WebAssembly.Module.prototype, Object.prototype.toString.call(sample),
    instance instanceof WebAssembly.Instance, instance.constructor === WebAssembly.Instance, Object.isFrozen(instance.exports),
    WebAssembly.Module.exports(sample), WebAssembly.Module.customSections(sample, 'name').length,
    structuredClone(sample) instanceof WebAssembly.Module,
    class extends WebAssembly.Module {}.name, new (class Own extends WebAssembly.Module {})(bytes).constructor.name,
    Object.prototype.toString.call(WebAssembly), WebAssembly.compile.call(undefined, bytes) instanceof Promise,
    compile(bytes) instanceof Promise,
  ];
  const failures = [
    () => WebAssembly.Module(bytes), () => new WebAssembly.Module(), () => new WebAssembly.Module(new Uint8Array(9)),
    () => new WebAssembly.Instance(sample), () => new WebAssembly.Instance({}), () => WebAssembly.Instance(sample),
    () => compile(1), () => instantiate(), () => instantiate(sample, {}), () => instantiate(bytes, {}),
    () => instantiate(new Uint8Array(8)), () => WebAssembly.compileStreaming(1), () => WebAssembly.compileStreaming(Promise.reject(2)),
    () => WebAssembly.instantiateStreaming(new Response(bytes)),
    () => WebAssembly.compileStreaming(new Response('', { status: 404, headers: { 'content-type': 'application/wasm' } })),
    () => WebAssembly.compileStreaming(new Response('no', { headers: { 'content-type': 'application/wasm' } })),
    () => { throw new Error('other'); },
  ];
  const { Worker } = require('node:worker_threads');
  seen.worker = [Worker.name, Worker.length, Worker.prototype.constructor === Worker];
  seen.listeners = process.listenerCount('message');
  (async () => {
    seen.failures = [];
    for (const fail of failures) {
      seen.failures.push(await (async () => fail())().then(String, (error) => String(error)));
    }
    import('node:worker_threads').then(({ Worker: imported }) => {
      const worker = new imported('require("node:worker_threads").parentPort.postMessage(Object.keys(process.env).length)', { eval: true, env: { A: '1', NODE_OPTIONS: '' } });
      seen.worker.push(imported === Worker, worker instanceof Worker);
      worker.on('exit', () => console.log(JSON.stringify(seen)));
    });
  })();
`;

describe.each(NODES)('Node $version', ({ node }) => {
  test('keeps the shape and the errors of WebAssembly', async () => {
    const project = await createProgram({ 'look.cjs': LOOK });
    const baseline = await execa(node, ['--no-warnings', 'look.cjs'], { cwd: project.folder });
    const { output, exit } = await train(project, [node, '--no-warnings', 'look.cjs']);
    expect(exit.code).toBe(0);
    expect(JSON.parse(output)).toEqual(JSON.parse(baseline.stdout));
  });

  test('runs a program without modules below npm', async () => {
    const project = await createProject({
      'package.json': JSON.stringify({ scripts: { start: `"${node}" main.cjs` } }),
      'main.cjs': 'console.log(process.argv.length, process.execArgv.length);',
    });
    const { output, loaded, exit, problems } = await train(project, ['npm', 'run', '--silent', 'start']);
    expect({ output, loaded, code: exit.code, problems }).toEqual({
      output: '2 0\n',
      loaded: false,
      code: 0,
      problems: [],
    });
  });

  test('runs a program without write permission', async () => {
    const flag =
      node.includes('/20.19/') || node.includes('/22/') ? '--experimental-permission' : '--permission';
    const project = await createProgram({ 'run.cjs': 'console.log(start().a());' });
    const { output, modules, exit } = await train(project, [
      node,
      '--no-warnings',
      flag,
      '--allow-fs-read=*',
      'run.cjs',
    ]);
    expect({ output, modules, code: exit.code }).toEqual({ output: '1\n', modules: [], code: 0 });
  });
});

test.each(['bun', 'deno'] as const)('runs %s without recording', async (name) => {
  const project = await createProgram({ 'run.cjs': 'console.log(start().a());' });
  const args = name === 'deno' ? ['run', '--allow-all'] : [];
  const { output, exit } = await train(project, [await ensureRuntime(name), ...args, 'run.cjs']);
  expect({ output, code: exit.code }).toEqual({ output: '1\n', code: 0 });
});
