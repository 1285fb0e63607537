/** Packages outside the bundle: their wasm files are precompiled beside the output, and recognised by their bytes. */
import { join } from 'node:path';
import plugin from 'unplugin-wasm-precompile/vite';
import { build as vite } from 'vite';
import { describe, expect, test } from 'vitest';
import { readReport } from '../report/read.ts';
import { ALL_BUNDLERS, build, type BuildOptions } from '../support/bundlers.ts';
import { watOf } from '../support/profiled-module.ts';
import { createProject, type Files, runWell, SHARED_CACHE } from '../support/project.ts';
import { wat, watOfValue } from '../support/wat.ts';

/**
 * A package that finds its file as Emscripten's code does: by a variable, and through another name of
 * `WebAssembly`.
 */
const PACKAGE: Files = {
  'node_modules/outside/package.json': JSON.stringify({
    name: 'outside',
    version: '1.2.3',
    exports: { import: './index.mjs', require: './index.cjs' },
  }),
  'node_modules/outside/index.mjs': `
    import { readFileSync } from 'node:fs';
    const W = typeof WebAssembly === 'undefined' ? undefined : WebAssembly;
    const name = 'one.wasm';
    export const load = () => new W.Instance(new W.Module(readFileSync(new URL(name, import.meta.url)))).exports.value();
  `,
  'node_modules/outside/index.cjs': `
    const { compile } = WebAssembly;
    const file = require('node:path').join(__dirname, 'one.wasm');
    exports.load = async () =>
      new WebAssembly.Instance(await compile(require('node:fs').readFileSync(file))).exports.value();
  `,
  'node_modules/outside/one.wasm': watOfValue(1),
  // No script names it.
  'node_modules/outside/debug/other.wasm': watOfValue(2),
};

const MAIN = `
  import { load } from 'outside';
  console.log(JSON.stringify(await load()));
`;

const EXTERNAL: Pick<BuildOptions, 'external' | 'plugin'> = {
  external: ['outside'],
  plugin: { external: true },
};

describe.each(ALL_BUNDLERS)('%s', (bundler) => {
  test('recognises what a package outside the bundle compiles', async () => {
    const project = await createProject({ ...PACKAGE, 'main.js': MAIN });
    const { dir, artifacts, warnings } = await build(bundler, project, EXTERNAL);
    expect(warnings).toEqual([]);
    expect(artifacts).toHaveLength(1);
    const main = (await project.read('out/main.js')).toString();
    expect(main).toMatch(/^(\/\/[^\n]*\n)*import ["']\.\/wasm-precompile-register\.mjs["'];/);
    const { result, loads } = await runWell(join(dir, 'main.js'));
    expect(result).toBe(1);
    expect(loads.map(({ how }) => how)).toEqual(['precompiled']);
  });

  test('recognises it in CommonJS output', async () => {
    const project = await createProject({
      ...PACKAGE,
      'main.js': `import { load } from 'outside'; Promise.resolve(load()).then((value) => console.log(JSON.stringify(value)));`,
    });
    const { dir } = await build(bundler, project, {
      ...EXTERNAL,
      output: { format: 'cjs', entryFileNames: '[name].cjs' },
    });
    const { result, loads } = await runWell(join(dir, 'main.cjs'));
    expect(result).toBe(1);
    expect(loads.map(({ how }) => how)).toEqual(['precompiled']);
  });

  test('compiles other bytes of the same length as usual', async () => {
    const project = await createProject({ ...PACKAGE, 'main.js': MAIN });
    const { dir } = await build(bundler, project, EXTERNAL);
    // Another version of the package is deployed.
    await project.write({ 'node_modules/outside/one.wasm': watOfValue(3) });
    expect(await runWell(join(dir, 'main.js'))).toMatchObject({ result: 3, loads: [] });
  });

  test('leaves a program without wasm outside the bundle as it is', async () => {
    const project = await createProject({
      'node_modules/outside/package.json': '{ "name": "outside", "type": "module", "exports": "./index.js" }',
      'node_modules/outside/index.js': 'export const load = () => 1;',
      'main.js': MAIN,
    });
    const { files } = await build(bundler, project, EXTERNAL);
    expect(files.filter((file) => !file.endsWith('.js'))).toEqual([]);
    expect((await project.read('out/main.js')).toString()).not.toContain('wasm-precompile-register');
  });

  test('traces nothing with `external: false`', async () => {
    const project = await createProject({ ...PACKAGE, 'main.js': MAIN });
    const { dir, artifacts } = await build(bundler, project, {
      ...EXTERNAL,
      plugin: { external: false },
    });
    expect(artifacts).toEqual([]);
    expect(await runWell(join(dir, 'main.js'))).toMatchObject({ result: 1, loads: [] });
  });

  // Farm makes static imports of dynamic ones.
  test.skipIf(bundler === 'farm')(
    'goes on without a package that is not installed, and with a damaged file',
    async () => {
      const project = await createProject({
        ...PACKAGE,
        'node_modules/outside/one.wasm': Uint8Array.of(1, 2, 3),
        'main.js': `
        import { load } from 'outside';
        let name;
        try { await import('not-installed'); } catch ({ code }) { name = code; }
        try { await load(); } catch (error) { console.log(JSON.stringify([name, error.name])); }
      `,
      });
      const { dir, artifacts } = await build(bundler, project, {
        ...EXTERNAL,
        external: ['outside', 'not-installed'],
      });
      expect(artifacts).toEqual([]);
      expect(await runWell(join(dir, 'main.js'))).toMatchObject({
        result: ['ERR_MODULE_NOT_FOUND', 'CompileError'],
        loads: [],
      });
    },
  );
});

describe.each(ALL_BUNDLERS)('%s', (bundler) => {
  test('finds the register file from several entries in a folder, and keeps source maps', async () => {
    // Farm does not find its runtime from a nested folder.
    const folder = bundler === 'farm' ? '' : 'entries/deep/';
    const project = await createProject({
      ...PACKAGE,
      'main.js': MAIN,
      'other.js': `
        import { load } from 'outside';
        Promise.resolve(load()).then(() => {
          console.log(JSON.stringify(new Error('here').stack));
        });
      `,
    });
    const { dir } = await build(bundler, project, {
      ...EXTERNAL,
      entries: ['other.js'],
      output: { entryFileNames: `${folder}[name].js`, sourcemap: true },
    });
    expect((await runWell(join(dir, folder, 'main.js'))).loads).toMatchObject([{ how: 'precompiled' }]);
    const { result, loads } = await runWell(join(dir, folder, 'other.js'), {
      nodeArgs: ['--enable-source-maps'],
    });
    expect(loads).toMatchObject([{ how: 'precompiled' }]);
    // The tests set no source maps for Bun.
    if (bundler !== 'bun') expect(result).toMatch(/other\.js:4:/);
  });

  test('trims the artifact to what a training run executes', async () => {
    const project = await createProject({
      ...PACKAGE,
      'node_modules/outside/one.wasm': watOf(),
      'node_modules/outside/index.mjs': `
        import { readFileSync } from 'node:fs';
        const bytes = readFileSync(new URL('./one.wasm', import.meta.url));
        export const load = async () => {
          const { instance } = await WebAssembly.instantiate(bytes, { './host.js': { seven: () => 7 } });
          return instance.exports.start();
        };
      `,
      'main.js': MAIN,
      'train.mjs': `await import('./out/main.js');`,
    });
    const report = project.path('report.html');
    const train = [process.execPath, project.path('train.mjs')];
    const { dir } = await build(bundler, project, {
      ...EXTERNAL,
      plugin: { external: true, report, profile: { train } },
    });
    expect((await readReport(report)).artifacts).toMatchObject([
      { native: [{ functions: 3, compiled: 2, executed: 2 }] },
    ]);
    const { result, loads } = await runWell(join(dir, 'main.js'));
    expect(result).toBe(42);
    expect(loads.map(({ how }) => how)).toEqual(['precompiled']);
  });
});

/** Next.js writes its entries so. */
test.each(['webpack', 'rspack'] as const)(
  '%s finds the register file from an entry above the output',
  async (bundler) => {
    const project = await createProject({ ...PACKAGE, 'main.js': MAIN });
    await build(bundler, project, {
      ...EXTERNAL,
      output: { dir: 'out/chunks', entryFileNames: '../app/[name].js' },
    });
    const { result, loads } = await runWell(project.path('out/app/main.js'));
    expect(result).toBe(1);
    expect(loads.map(({ how }) => how)).toEqual(['precompiled']);
  },
);

test.each(['webpack', 'rspack'] as const)('%s: a worker thread recognises modules, too', async (bundler) => {
  const project = await createProject({
    ...PACKAGE,
    // webpack loses the name of a class that is imported from node:worker_threads.
    'worker-class.js': "import * as threads from 'node:worker_threads'; globalThis.Worker = threads.Worker;",
    'main.js': `
      import './worker-class.js';
      new Worker(new URL('./worker.js', import.meta.url)).on('message', (value) => console.log(JSON.stringify(value)));
    `,
    'worker.js': `
      import { parentPort } from 'node:worker_threads';
      import { load } from 'outside';
      Promise.resolve(load()).then((value) => parentPort.postMessage(value));
    `,
  });
  const { dir } = await build(bundler, project, EXTERNAL);
  const { result, loads } = await runWell(join(dir, 'main.js'));
  expect(result).toBe(1);
  expect(loads.map(({ how }) => how)).toEqual(['precompiled']);
});

test('a library does not import the register file', async () => {
  const project = await createProject({ ...PACKAGE, 'main.js': `export { load } from 'outside';` });
  await vite({
    root: project.folder,
    configFile: false,
    logLevel: 'silent',
    plugins: [plugin({ threshold: 0, cache: SHARED_CACHE, external: true })],
    build: {
      ssr: true,
      outDir: 'out',
      lib: { entry: project.path('main.js'), formats: ['es'], fileName: 'main' },
      rollupOptions: { external: ['outside'] },
    },
  });
  expect(await project.list('out')).toEqual(['main.js']);
});

test('a module with imports links as usual', async () => {
  const project = await createProject({
    ...PACKAGE,
    'node_modules/outside/index.mjs': `
      import { readFileSync } from 'node:fs';
      const bytes = readFileSync(new URL('./one.wasm', import.meta.url));
      export const load = async () => {
        const { instance } = await WebAssembly.instantiate(bytes, { env: { offset: () => 40 } });
        return instance.exports.add();
      };
    `,
    'node_modules/outside/one.wasm': wat(`(module (import "env" "offset" (func $offset (result i32)))
      (func (export "add") (result i32) (i32.add (call $offset) (i32.const 2))))`),
    'main.js': MAIN,
  });
  const { dir } = await build('rollup', project, EXTERNAL);
  const { result, loads } = await runWell(join(dir, 'main.js'));
  expect(result).toBe(42);
  expect(loads.map(({ how }) => how)).toEqual(['precompiled']);
});
