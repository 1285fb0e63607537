/** The forms in which code names a wasm file relative to itself. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { build, type Bundler, listen, type ViteName } from '../support/bundlers.ts';
import { ESBUILD_INTEROP, OTHER_BUNDLERS, type OtherBundler } from '../support/other-bundlers.ts';
import { createProject, type Files, runWell } from '../support/project.ts';
import { watOfValue } from '../support/wat.ts';

const BUNDLERS: (Bundler | ViteName | OtherBundler)[] = [
  'vite',
  'vite7',
  'vite6',
  'rollup',
  'rolldown',
  ...OTHER_BUNDLERS,
];

/** Each function returns the bytes of `wasm/one.wasm`, from a module in another folder. */
const WAYS = `
import { createReadStream, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const __dirname = here;
const require = createRequire(import.meta.url);
const locateFile = (name) => new URL(name, import.meta.url).href;
const isRemote = (name) => name.startsWith('https:');

export const ways = {
  url: () => readFileSync(new URL('../wasm/one.wasm', import.meta.url)),
  later: () => readFile(new URL('../wasm/one.wasm', import.meta.url)),
  stream: async () => {
    const chunks = [];
    for await (const chunk of createReadStream(new URL('../wasm/one.wasm', import.meta.url))) chunks.push(chunk);
    return Buffer.concat(chunks);
  },
  href: () => readFileSync(fileURLToPath(new URL('../wasm/one.wasm', import.meta.url).href)),
  pathname: () => readFileSync(decodeURI(new URL('../wasm/one.wasm', import.meta.url).pathname)),
  required: () => readFileSync(require.resolve('../wasm/one.wasm')),
  requiredDirectly: () => readFileSync(createRequire(import.meta.url).resolve('../wasm/one.wasm')),
  resolved: () => readFileSync(new URL(import.meta.resolve('../wasm/one.wasm'))),
  joined: () => readFileSync(join(__dirname, '../wasm/one.wasm')),
  joinedParts: () => readFileSync(resolve(here, '..', 'wasm', 'one.wasm')),
  added: () => readFileSync(__dirname + '/../wasm/one.wasm'),
  inserted: () => readFileSync(\`\${here}/../wasm/one.wasm\`),
  addedToUrl: () => readFileSync(new URL(new URL('.', import.meta.url).href + '../wasm/one.wasm')),
  located: () => readFileSync(new URL(locateFile('../wasm/one.wasm'))),
  locatedLater() {
    let file = '../wasm/one.wasm';
    if (!isRemote(file)) file = locateFile(file);
    return readFileSync(new URL(file));
  },
};
`;

const MAIN = `
const { ways } = await import('./code/ways.js');
const results = {};
for (const [name, way] of Object.entries(ways)) {
  const { instance } = await WebAssembly.instantiate(await way());
  results[name] = instance.exports.value();
}
console.log(JSON.stringify(results));
`;

/**
 * webpack, Rspack and Farm treat `new URL('.', import.meta.url)` and URLs built from it as files of the bundle. Their
 * builds fail or omit the file.
 */
function waysFor(bundler: string): string {
  return /webpack|rspack|farm/.test(bundler)
    ? WAYS.replace(/^ *addedToUrl: .*\n/m, '').replace(
        'new URL(name, import.meta.url)',
        'pathToFileURL(join(here, name))',
      )
    : WAYS;
}

const FILES: Files = { 'wasm/one.wasm': watOfValue(1), 'code/ways.js': WAYS, 'main.js': MAIN };

/** All functions return the same bytes: one load, whose module serves the others while it is alive. */
function expectPrecompiled(loads: readonly { how: string }[]): void {
  expect(loads.length).toBeGreaterThan(0);
  expect(new Set(loads.map(({ how }) => how))).toEqual(new Set(['precompiled']));
}

describe.each(BUNDLERS)('%s', (bundler) => {
  test.each([
    ['ES modules', 'es', ''],
    ['chunks in folders of their own', 'es', 'some/chunks/'],
  ] as const)('finds the file in %s', async (_, format, folder) => {
    const project = await createProject({ ...FILES, 'code/ways.js': waysFor(bundler) });
    const unbundled = await runWell(project.path('main.js'));
    const built = await build(bundler, project, {
      output: {
        format,
        chunkFileNames: `${folder}[name]-[hash].js`,
        assetFileNames: 'wasm files/[name]-[hash][extname]',
      },
    });
    expect(built.files.filter((file) => file.endsWith('.wasm'))).toEqual([
      expect.stringMatching(/^wasm files\/one-[\w-]{8}\.wasm$/),
    ]);
    // A deployed program consists of the output alone.
    const dir = await project.move('out', 'deployed here/out');
    const { result, loads } = await runWell(join(dir, 'main.js'));
    expect(result).toEqual(unbundled.result);
    expectPrecompiled(loads);
    const scripts = built.files.filter((file) => file.endsWith('.js'));
    const code = (await Promise.all(scripts.map((file) => project.read('deployed here/out', file)))).join('');
    // `isRemote(file)` is one of them: a variable that holds the name is its argument.
    expect(code.match(/\.locate\(/g)).toHaveLength(waysFor(bundler) === WAYS ? 8 : 7);
  });

  test('finds the file in CommonJS output', async () => {
    const project = await createProject({
      ...FILES,
      'code/ways.js': waysFor(bundler),
      'main.js':
        MAIN.replace(
          'const { ways } = await',
          "import { ways } from './code/ways.js'; (async () => {",
        ).replace(/import\('.\/code\/ways.js'\);/, '') + '})();',
    });
    const { dir } = await build(bundler, project, {
      output: { format: 'cjs', entryFileNames: '[name].cjs' },
      other: { esbuild: ESBUILD_INTEROP.cjs },
    });
    const { result, loads } = await runWell(join(dir, 'main.cjs'));
    expect(new Set(Object.values(result as object))).toEqual(new Set([1]));
    expectPrecompiled(loads);
  });
});

test('finds the file in TypeScript that only the bundler can parse', async () => {
  const project = await createProject({
    'one.wasm': watOfValue(1),
    'main.ts': `
      import { readFileSync } from 'node:fs';
      const bytes: Uint8Array = readFileSync(new URL('./one.wasm', import.meta.url));
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes as BufferSource)) as any;
      console.log(JSON.stringify(exports.value() satisfies number));
    `,
  });
  for (const bundler of ['rolldown', 'vite', 'vite6', 'esbuild', 'farm', 'bun'] as const) {
    const { dir } = await build(bundler, project, { entry: 'main.ts' });
    const { result, loads } = await runWell(join(dir, 'main.js'));
    expect(result).toBe(1);
    expectPrecompiled(loads);
  }
});

test('loads native code in a worker thread', async () => {
  const project = await createProject({
    'one.wasm': watOfValue(1),
    'main.js': `
      import { readFileSync } from 'node:fs';
      import { fileURLToPath } from 'node:url';
      import { isMainThread, parentPort, Worker } from 'node:worker_threads';
      const value = () => {
        const bytes = readFileSync(new URL('./one.wasm', import.meta.url));
        return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.value();
      };
      if (isMainThread) {
        new Worker(fileURLToPath(import.meta.url)).on('message', (message) => {
          console.log(JSON.stringify([message, value()]));
        });
      } else {
        parentPort.postMessage(value());
      }
    `,
  });
  const { dir } = await build('vite', project);
  const { result, loads } = await runWell(join(dir, 'main.js'));
  expect(result).toEqual([1, 1]);
  expectPrecompiled(loads);
});

test('keeps only executed functions of a module that a package loads, if the build trains itself', async () => {
  const { plugins, infos } = listen();
  const project = await createProject({
    'main.cjs': `
      const initSqlJs = require('sql.js');
      initSqlJs().then((SQL) => {
        const db = new SQL.Database();
        console.log(JSON.stringify(db.exec('SELECT 1 + 1')[0].values));
      });
    `,
  });
  const { dir } = await build('vite', project, {
    entry: 'main.cjs',
    plugins,
    output: { format: 'cjs', entryFileNames: '[name].cjs' },
    vite: { ssr: { noExternal: true } },
    plugin: { profile: { train: [process.execPath, project.path('out/main.cjs')] } },
  });
  const { result, loads } = await runWell(join(dir, 'main.cjs'));
  expect(result).toEqual([[2]]);
  expectPrecompiled(loads);
  const [, executed] =
    /sql-wasm \(precompiled for node [\d.]+, (\d+) of 1968 functions; /.exec(infos[0] ?? '') ?? [];
  expect(Number(executed)).toBeGreaterThan(100);
  expect(Number(executed)).toBeLessThan(1000);
  expect(infos[0]).toContain('; loaded by sql.js/dist/sql-wasm.js)');
});
