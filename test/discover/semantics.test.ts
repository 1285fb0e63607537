/** Runtime loading returns the same objects and throws the same errors as the engine. */
import { describe, expect, test } from 'vitest';
import { build } from '../support/bundlers.ts';
import { ensureNode, NODE_VERSIONS } from '../support/nodes.ts';
import { OTHER_BUNDLERS } from '../support/other-bundlers.ts';
import { createProject, run, runWell } from '../support/project.ts';
import { wat } from '../support/wat.ts';

const NODES = await Promise.all(NODE_VERSIONS.map((version) => ensureNode(version)));

/** A module with an import, so that instances can fail, and a name section. */
const MODULE = wat(`(module
  (import "env" "offset" (func $offset (result i32)))
  (memory (export "memory") 1)
  (func (export "add") (param i32 i32) (result i32)
    (i32.add (call $offset) (i32.add (local.get 0) (local.get 1)))))`);

/** Calls the engine's functions and prints their results. */
const PROGRAM = `
import { createReadStream, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';

const url = new URL('./math.wasm', import.meta.url);
const bytes = readFileSync(url);
const imports = { env: { offset: () => 1 } };
const exact = () => bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
const other = () => {
  const changed = new Uint8Array(exact());
  // Changes a letter of a name: another valid module.
  changed[changed.lastIndexOf('add'.charCodeAt(0))] = 'x'.charCodeAt(0);
  return changed;
};
const respond = (body, init) => new Response(body, { headers: { 'content-type': 'application/wasm' }, ...init });

const answers = {
  async compile() {
    const module = await WebAssembly.compile(bytes);
    return [module instanceof WebAssembly.Module, WebAssembly.Module.imports(module), WebAssembly.Module.exports(module)];
  },
  async instantiate() {
    const { module, instance, ...rest } = await WebAssembly.instantiate(bytes, imports);
    const kinds = [module instanceof WebAssembly.Module, instance instanceof WebAssembly.Instance];
    return [...kinds, Object.keys(rest), instance.exports.add(2, 3)];
  },
  async instantiateModule() {
    const instance = await WebAssembly.instantiate(new WebAssembly.Module(bytes), imports);
    return [instance instanceof WebAssembly.Instance, instance.exports.add(2, 3)];
  },
  async synchronous() {
    const module = new WebAssembly.Module(bytes);
    return [module instanceof WebAssembly.Module, new WebAssembly.Instance(module, imports).exports.add(2, 3)];
  },
  async eachItsOwn() {
    const some = [new WebAssembly.Module(bytes), new WebAssembly.Module(bytes), await WebAssembly.compile(bytes)];
    some.push(...(await Promise.all([WebAssembly.compile(bytes), WebAssembly.compile(bytes)])));
    some[0].mark = 1;
    return [new Set(some).size, some.map(({ mark }) => mark), structuredClone(some[1]) instanceof WebAssembly.Module];
  },
  async views() {
    const large = new Uint8Array(bytes.length + 20);
    large.set(bytes, 7);
    const views = [exact(), large.subarray(7, 7 + bytes.length), new DataView(large.buffer, 7, bytes.length)];
    const modules = await Promise.all(views.map((view) => WebAssembly.compile(view)));
    return modules.map((module) => WebAssembly.Module.exports(module).length);
  },
  async changedAtOnce() {
    const copy = new Uint8Array(exact());
    const pending = [WebAssembly.compile(copy), WebAssembly.instantiate(copy, imports)];
    copy.fill(0);
    const [module, { instance }] = await Promise.all(pending);
    return [WebAssembly.Module.exports(module).length, instance.exports.add(2, 3)];
  },
  async detachedAtOnce() {
    const copy = exact();
    const pending = WebAssembly.compile(copy);
    structuredClone(copy, { transfer: [copy] });
    return WebAssembly.Module.exports(await pending).length;
  },
  async sameSize() {
    const module = await WebAssembly.compile(other());
    return [WebAssembly.Module.exports(module), WebAssembly.Module.exports(new WebAssembly.Module(other()))];
  },
  async shared() {
    const memory = new Uint8Array(new SharedArrayBuffer(bytes.length));
    memory.set(bytes);
    return WebAssembly.Module.exports(new WebAssembly.Module(memory)).length;
  },
  sections: () => WebAssembly.Module.customSections(new WebAssembly.Module(bytes), 'name').length,
  missingImports: () => WebAssembly.instantiate(bytes),
  wrongImports: () => WebAssembly.instantiate(bytes, 5),
  missingImport: () => WebAssembly.instantiate(bytes, { env: {} }),
  notBytes: () => WebAssembly.compile('bytes'),
  noBytes: () => WebAssembly.compile(),
  badBytes: () => WebAssembly.compile(new Uint8Array(bytes.length)),
  badBytesNow: () => new WebAssembly.Module(new Uint8Array(bytes.length)),
  async stream() {
    const body = Readable.toWeb(createReadStream(url));
    const response = respond(body);
    const { module, instance } = await WebAssembly.instantiateStreaming(response, imports);
    return [module instanceof WebAssembly.Module, instance.exports.add(2, 3), response.bodyUsed];
  },
  async streamOfBytes() {
    const module = await WebAssembly.compileStreaming(Promise.resolve(respond(bytes)));
    return WebAssembly.Module.exports(module);
  },
  async streamOfOthers() {
    return WebAssembly.Module.exports(await WebAssembly.compileStreaming(respond(other())));
  },
  wrongType: () => WebAssembly.compileStreaming(respond(bytes, { headers: { 'content-type': 'text/html' } })),
  wrongStatus: () => WebAssembly.compileStreaming(respond(bytes, { status: 404 })),
  notResponse: () => WebAssembly.compileStreaming(bytes),
  badStream: () => WebAssembly.compileStreaming(respond('no module')),
  async usedBody() {
    const response = respond(bytes);
    await response.text();
    return WebAssembly.compileStreaming(response);
  },
  rejected: () => WebAssembly.instantiateStreaming(Promise.reject(new Error('mine')), imports),
  fetchOthers: async () => (await fetch('data:text/plain,it')).text(),
  fetchNothing: () => fetch('data:nothing'),
};

const results = {};
for (const [name, answer] of Object.entries(answers)) {
  try {
    results[name] = await answer();
  } catch (error) {
    results[name] = [error.name, error.constructor.name, error.message];
  }
}
console.log(JSON.stringify(results));
`;

const FILES = { 'math.wasm': MODULE, 'main.js': PROGRAM };

describe.each(['vite', 'rollup', ...OTHER_BUNDLERS] as const)('%s', (bundler) => {
  test('returns the same results as the engine', async () => {
    const project = await createProject(FILES);
    const { dir } = await build(bundler, project, { plugin: { targets: NODES } });
    for (const node of NODES) {
      const unbundled = await runWell(project.path('main.js'), { node });
      const bundled = await runWell(`${dir}/main.js`, { node });
      expect(bundled.result).toEqual(unbundled.result);
      const { result } = unbundled as unknown as { result: Record<string, unknown> };
      expect(Object.keys(result).length).toBeGreaterThan(25);
      expect(result['eachItsOwn']).toEqual([5, [1, null, null, null, null], true]);
      expect(bundled.loads.length).toBeGreaterThan(0);
      expect(new Set(bundled.loads.map(({ how }) => how))).toEqual(new Set(['precompiled']));
    }
  });

  test('fetches detected files, and reads them only when the body is read', async () => {
    const project = await createProject({
      'math.wasm': MODULE,
      'main.js': `
        const url = new URL('./math.wasm', import.meta.url);
        const imports = { env: { offset: () => 1 } };
        const response = await fetch(url, { credentials: 'same-origin' });
        const { instance } = await WebAssembly.instantiateStreaming(response, imports);
        const again = await WebAssembly.instantiateStreaming(fetch(url.href), imports);
        const read = await fetch(url);
        const bytes = await read.arrayBuffer();
        let used;
        try {
          await WebAssembly.compileStreaming(read);
        } catch (error) {
          used = error.name;
        }
        console.log(JSON.stringify([
          response instanceof Response, response.url === url.href, response.ok, response.bodyUsed, used,
          instance.exports.add(2, 3), again.instance.exports.add(3, 4),
          bytes.byteLength, WebAssembly.Module.exports(await WebAssembly.compile(bytes)).length,
        ]));
      `,
    });
    const { dir } = await build(bundler, project);
    const { result, loads } = await runWell(`${dir}/main.js`);
    expect(result).toEqual([true, true, true, true, 'TypeError', 6, 8, MODULE.length, 2]);
    expect(new Set(loads.map(({ how }) => how))).toEqual(new Set(['precompiled']));
  });

  test('loads nothing if the program never compiles', async () => {
    const project = await createProject({
      'math.wasm': MODULE,
      'main.js': `
        import { readFileSync } from 'node:fs';
        const bytes = readFileSync(new URL('./math.wasm', import.meta.url));
        if (process.argv[2] === 'compile') new WebAssembly.Module(bytes);
        console.log(JSON.stringify(bytes.length));
      `,
    });
    const { dir, artifacts } = await build(bundler, project);
    expect(artifacts).toHaveLength(1);
    expect(await runWell(`${dir}/main.js`)).toMatchObject({ result: MODULE.length, loads: [] });
  });
});

describe("wasm-bindgen's test whether a value is a response", () => {
  /** The test in the JavaScript that wasm-bindgen generates. */
  const TYPE_TEST = `
    import module from './math.wasm?module';
    async function load(source, imports) {
      if (typeof Response === 'function' && source instanceof Response) {
        return WebAssembly.instantiateStreaming(source, imports);
      }
      const instance = await WebAssembly.instantiate(source, imports);
      return instance instanceof WebAssembly.Instance ? { instance } : instance;
    }
    const isLoaded = () => process.moduleLoadList.some((name) => name.includes('undici'));
    const results = [];
    const add = async (source) => {
      const { instance } = await load(await source, { env: { offset: () => 1 } });
      results.push([instance.exports.add(2, 3), isLoaded()]);
    };
    const plain = () => Uint8Array.from(atob(${JSON.stringify(Buffer.from(MODULE).toString('base64'))}), (each) => each.charCodeAt(0));
    const bytes = plain();
    await add(module);
    await add(bytes);
    await add(bytes.buffer);
    await add(new Response(bytes, { headers: { 'content-type': 'application/wasm' } }));
    console.log(JSON.stringify(results));
  `;
  const project = () => createProject({ 'math.wasm': MODULE, 'main.js': TYPE_TEST });

  test('runs only for values that may be a response', async () => {
    const { dir } = await build('rollup', await project());
    for (const node of NODES) {
      // oxlint-disable-next-line no-await-in-loop
      const { result } = await runWell(`${dir}/main.js`, { node });
      expect(result).toEqual([
        [6, false],
        [6, false],
        [6, false],
        [6, true],
      ]);
    }
  });

  test('runs for every value with `detect: false`', async () => {
    const { dir } = await build('rollup', await project(), { plugin: { detect: false } });
    expect((await runWell(`${dir}/main.js`)).result).toEqual(Array.from({ length: 4 }, () => [6, true]));
  });
});

test('lets a module be collected when the program drops it', async () => {
  const project = await createProject({
    'math.wasm': MODULE,
    'main.js': `
      import { readFileSync } from 'node:fs';
      import { setTimeout } from 'node:timers/promises';
      const bytes = readFileSync(new URL('./math.wasm', import.meta.url));
      const gone = new WeakRef(new WebAssembly.Module(bytes));
      for (let count = 0; count < 100 && gone.deref(); count++) {
        await setTimeout(10);
        globalThis.gc();
      }
      const module = new WebAssembly.Module(bytes);
      console.log(JSON.stringify([gone.deref() === undefined, WebAssembly.Module.exports(module).length]));
    `,
  });
  const { dir } = await build('rollup', project);
  const { result, loads } = await runWell(`${dir}/main.js`, { nodeArgs: ['--expose-gc'] });
  expect(result).toEqual([true, 2]);
  expect(loads.map(({ how }) => how)).toEqual(['precompiled', 'precompiled']);
});

test('keeps source maps that point to the original code', async () => {
  const project = await createProject({
    'math.wasm': MODULE,
    'main.js': `
      import { readFileSync } from 'node:fs';
      const bytes = readFileSync(new URL('./math.wasm', import.meta.url));
      new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { offset() { throw new Error('here'); } } }).exports.add(1, 2);
    `,
  });
  const { dir } = await build('rollup', project, { output: { sourcemap: true } });
  const { stderr, exitCode } = await run(`${dir}/main.js`, { nodeArgs: ['--enable-source-maps'] });
  expect(exitCode).toBe(1);
  const column =
    (await project.read('main.js')).toString().split('\n')[3]?.indexOf("new Error('here')") ?? -1;
  expect(stderr).toContain(`${project.path('main.js')}:4:${column + 1}`);
});
