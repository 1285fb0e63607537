/** The option `split`: modules with a startup profile are split, and secondaries are loaded when they are called. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { unpackArtifact } from '../../src/artifact/unpack.ts';
import { createProfile } from '../../src/profile/create.ts';
import { writeProfiles } from '../../src/profile/profile-files.ts';
import {
  build,
  ALL_BUNDLERS,
  type BuildResult,
  listen,
  onlyArtifact,
  type PluginOptions,
} from '../support/bundlers.ts';
import { ensureNode, NODE_VERSIONS } from '../support/nodes.ts';
import { type Project, run, runWell, wasmPrecompile } from '../support/project.ts';
import {
  CALLS,
  createSplitProject,
  FIRST,
  IMPORTS,
  RESULTS,
  SECOND,
  START,
  TWO_SECONDARIES,
  USED,
  WASM,
} from '../support/split-project.ts';
import { wat } from '../support/wat.ts';

const MAINS = {
  esm: `import { start, first, second, table } from './one.wasm'; console.log(JSON.stringify(${CALLS}));`,
  init: `
    import init from './one.wasm?init';
    const { start, first, second, table } = (await init(${IMPORTS})).exports;
    console.log(JSON.stringify(${CALLS}));`,
  module: `
    import module from './one.wasm?module';
    const { exports } = new WebAssembly.Instance(module, ${IMPORTS});
    const other = (await WebAssembly.instantiate(module, ${IMPORTS})).exports;
    const { start, first, second, table } = exports;
    const all = ${CALLS};
    const names = (entries) => entries.map(({ name }) => name);
    all.push(other.second(1000), Object.keys(exports), names(WebAssembly.Module.exports(module)));
    console.log(JSON.stringify(all));`,
};

const NAMES = ['memory', 'table', 'used', 'start', 'first', 'second'];
const RESULTS_BY_FORM = {
  esm: RESULTS,
  init: RESULTS,
  module: [...RESULTS, 1043, NAMES, NAMES],
};

/** A program that changes its artifact after startup. */
const changing = (change: string) => `
  import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
  import { start, first, second } from './one.wasm';
  const folder = new URL('./assets/', import.meta.url);
  const name = readdirSync(folder).find((each) => each.endsWith('.elf'));
  const file = new URL(name, folder);
  const attempt = (call) => { try { return call(); } catch ({ message }) { return message; } };
  const before = start();
  ${change}
  console.log(JSON.stringify([before, attempt(() => second(1000)), attempt(() => start())]));`;

const buildSplit = (
  project: Project,
  plugin: PluginOptions = {},
  bundler: (typeof ALL_BUNDLERS)[number] = 'rollup',
) =>
  build(bundler, project, {
    plugin: { profile: project.path('profiles'), split: TWO_SECONDARIES, ...plugin },
  });

async function unpack(built: BuildResult) {
  return unpackArtifact(await readFile(onlyArtifact(built)));
}

/** Returns the loaded secondaries with the called functions, from the output of `NODE_DEBUG`. */
const coldCalls = (stderr: string) =>
  [...stderr.matchAll(/loading secondary module (\d+) \(call to function (\d+)\)/g)].map(
    ([, secondary, index]) => [Number(secondary), Number(index)],
  );

describe.each(ALL_BUNDLERS)('%s', (bundler) => {
  test.each(['esm', 'init', 'module'] as const)(
    '%s: secondaries are loaded when they are called',
    async (form) => {
      const project = await createSplitProject(MAINS[form]);
      const built = await buildSplit(project, {}, bundler);
      expect(built.warnings).toEqual([]);
      const { native, split, wire } = await unpack(built);
      expect(Buffer.compare(wire, WASM)).toBe(0);
      expect(split?.secondaries).toHaveLength(2);
      expect(native.flatMap(({ functions }) => functions.map(({ index }) => index))).toEqual([USED, START]);
      const { result, stderr, loads } = await runWell(join(built.dir, 'main.js'));
      expect(result).toEqual(RESULTS_BY_FORM[form]);
      expect(coldCalls(stderr)).toEqual([
        [1, FIRST],
        [2, SECOND],
      ]);
      expect(loads.map(({ how }) => how)).toEqual(['precompiled', 'precompiled', 'precompiled']);
    },
  );
});

/** Expects linked instances from functions that JavaScript looks up before the module is loaded. */
async function expectLinked(
  bundler: (typeof ALL_BUNDLERS)[number],
  main: string,
  files: Record<string, string> = {},
): Promise<void> {
  const project = await createSplitProject(
    `${main}
    const { start, first, second, table } = (await make()).exports;
    console.log(JSON.stringify(${CALLS}));`,
    files,
  );
  const built = await buildSplit(project, {}, bundler);
  expect((await unpack(built)).split?.secondaries).toHaveLength(2);
  const { result, loads } = await runWell(join(built.dir, 'main.js'));
  expect(result).toEqual(RESULTS);
  expect(loads.map(({ how }) => how)).toEqual(['precompiled', 'precompiled', 'precompiled']);
}

describe('instances of a module that is obtained dynamically are linked', () => {
  const ONE = "(await import('./one.wasm?module')).default";

  test.each(ALL_BUNDLERS)('%s: imported in the arguments of a constructor', async (bundler) => {
    await expectLinked(bundler, `const make = async () => new WebAssembly.Instance(${ONE}, ${IMPORTS});`);
  });

  test.each(ALL_BUNDLERS)('%s: imported by a function of another file', async (bundler) => {
    await expectLinked(
      bundler,
      `import { get } from './get.js';
      const make = async () => WebAssembly.instantiate(await get(), ${IMPORTS});`,
      { 'get.js': `export const get = async () => ${ONE};` },
    );
  });

  test.each(['esbuild', 'webpack', 'rspack'] as const)('%s: loaded by `require`', async (bundler) => {
    await expectLinked(bundler, "import { make } from './make.cjs';", {
      'make.cjs': `exports.make = () => new WebAssembly.Instance(require('./one.wasm?module').default, ${IMPORTS});`,
    });
  });

  test('imported by `import.source`, with and without the option `detect`', async () => {
    const project = await createSplitProject(`
      const { exports } = await WebAssembly.instantiate(await import.source('./one.wasm'), ${IMPORTS});
      const { start, first, second, table } = exports;
      console.log(JSON.stringify(${CALLS}));`);
    for (const detect of [true, false]) {
      // Sequential, because both write the same folder.
      // oxlint-disable-next-line no-await-in-loop
      const built = await buildSplit(project, { detect });
      // oxlint-disable-next-line no-await-in-loop
      expect((await runWell(join(built.dir, 'main.js'))).result).toEqual(RESULTS);
    }
  });

  test('only with `split`: other builds do not change the code', async () => {
    const project = await createSplitProject(`console.log(typeof ${ONE});`);
    const built = await build('rollup', project, { plugin: { split: false } });
    expect(await readFile(join(built.dir, 'main.js'), 'utf8')).not.toContain('intercept');
  });
});

test.each(['module', 'runtime loading'] as const)(
  'the original module is loaded if functions of WebAssembly cannot be replaced: %s',
  async (form) => {
    const runtimeLoading = `
      import { readFileSync } from 'node:fs';
      const bytes = readFileSync(new URL('./one.wasm', import.meta.url));
      const { start, first, second, table } = new WebAssembly.Instance(new WebAssembly.Module(bytes), ${IMPORTS}).exports;
      console.log(JSON.stringify(${CALLS}));`;
    const project = await createSplitProject(form === 'runtime loading' ? runtimeLoading : MAINS.module);
    const built = await buildSplit(project);
    const { result, loads } = await runWell(join(built.dir, 'main.js'), {
      nodeArgs: ['--frozen-intrinsics'],
    });
    expect(result).toEqual(form === 'runtime loading' ? RESULTS : RESULTS_BY_FORM.module);
    expect(loads.map(({ how }) => how)).toEqual(form === 'runtime loading' ? [] : ['compiled']);
  },
);

describe('a split module', () => {
  test('is precompiled in each version of Node', async () => {
    const nodes = await Promise.all(NODE_VERSIONS.map((version) => ensureNode(version)));
    const project = await createSplitProject(MAINS.module);
    const built = await buildSplit(project, { targets: nodes });
    for (const node of nodes) {
      // The runs are sequential.
      // oxlint-disable-next-line no-await-in-loop
      const { result, loads } = await runWell(join(built.dir, 'main.js'), { node });
      expect(result).toEqual(RESULTS_BY_FORM.module);
      expect(loads.map(({ how }) => how)).toEqual(['precompiled', 'precompiled', 'precompiled']);
    }
  });

  test('is compiled in a version of Node that is not a target', async () => {
    const project = await createSplitProject(MAINS.module);
    const built = await buildSplit(project, { fallback: 'silent' });
    const { result, loads } = await runWell(join(built.dir, 'main.js'), { node: await ensureNode('24') });
    expect(result).toEqual(RESULTS_BY_FORM.module);
    expect(loads.map(({ how }) => how)).toEqual(['compiled', 'compiled', 'compiled']);
  });
});

describe('threads', () => {
  const worker = `
    import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
    const use = (module) => {
      const { exports } = new WebAssembly.Instance(module, ${IMPORTS});
      return [exports.start(), exports.second(1000), Object.keys(exports)];
    };
    parentPort.on('message', (message) => {
      const [{ module }] = message.get('list');
      parentPort.postMessage([use(workerData.module), use(module), message.get('again') === message]);
    });`;
  const posting = `
    import module from './one.wasm?module';
    import { Worker } from 'node:worker_threads';
    const thread = new Worker(new URL('../worker.mjs', import.meta.url), { workerData: { module } });
    const message = new Map([['list', [{ module }]]]);
    message.set('again', message);
    thread.postMessage(message);
    thread.on('message', (answer) => {
      const clone = structuredClone({ module }).module;
      const own = new WebAssembly.Instance(clone, ${IMPORTS}).exports;
      console.log(JSON.stringify([...answer, own.second(1000), WebAssembly.Module.exports(clone).length]));
      thread.terminate();
    });`;

  test.each(NODE_VERSIONS)(
    'a worker receives a split module as the original module: Node %s',
    async (version) => {
      const project = await createSplitProject(posting, { 'worker.mjs': worker });
      const built = await buildSplit(project, { fallback: 'silent' });
      const { result } = await runWell(join(built.dir, 'main.js'), { node: await ensureNode(version) });
      const used = [42, 1044, NAMES];
      expect(result).toEqual([used, used, true, 1043, NAMES.length]);
    },
  );

  test('a worker that imports the same program loads secondaries itself', async () => {
    const project = await createSplitProject(`
      import { isMainThread, parentPort, Worker } from 'node:worker_threads';
      import { start, first, second, table } from './one.wasm';
      const own = ${CALLS};
      if (isMainThread) {
        const threads = [1, 2].map(() => new Worker(new URL(import.meta.url)));
        const answers = await Promise.all(threads.map((thread) => new Promise((done) => thread.on('message', done))));
        console.log(JSON.stringify([own, ...answers]));
      } else parentPort.postMessage(own);`);
    const built = await buildSplit(project);
    const { result, stderr } = await runWell(join(built.dir, 'main.js'));
    expect(result).toEqual([RESULTS, RESULTS, RESULTS]);
    expect(coldCalls(stderr)).toHaveLength(6);
  });
});

describe('an artifact that changes while the program runs', () => {
  test.skipIf(process.platform !== 'linux').each([
    ['is removed', 'rmSync(file);'],
    [
      'is replaced by another build',
      'writeFileSync(new URL("new", folder), readFileSync(file).fill(7)); renameSync(new URL("new", folder), file);',
    ],
  ])('%s: secondaries come from the artifact that was loaded', async (_, change) => {
    const built = await buildSplit(await createSplitProject(changing(change)));
    const { result } = await runWell(join(built.dir, 'main.js'));
    expect(result).toEqual([42, 1044, 42]);
  });

  test('is overwritten: calls of unloaded functions throw, and all others work', async () => {
    const built = await buildSplit(
      await createSplitProject(changing('writeFileSync(file, readFileSync(file).fill(7));')),
    );
    const { result } = await runWell(join(built.dir, 'main.js'));
    expect(result).toEqual([
      42,
      expect.stringMatching(
        /\.elf: its wasm module is damaged or missing: it is not an ELF file\. Deploy the complete build again\./,
      ),
      42,
    ]);
  });

  test('has a damaged secondary: a call of its functions throws', async () => {
    const project = await createSplitProject(changing(''));
    const built = await buildSplit(project);
    const file = onlyArtifact(built);
    const bytes = await readFile(file);
    const { manifest } = unpackArtifact(bytes);
    const offset = manifest.split?.secondaries[1]?.wire.offset ?? 0;
    bytes[offset + 2000] = (bytes[offset + 2000] ?? 0) ^ 1;
    await writeFile(file, bytes);
    const { result } = await runWell(join(built.dir, 'main.js'));
    expect(result).toEqual([42, expect.stringContaining('its checksum is wrong'), 42]);
  });
});

describe('training', () => {
  test('a build splits a module by its own training run', async () => {
    const project = await createSplitProject(MAINS.module, {
      'train.mjs': `globalThis.console = { log() {} };
        const { default: module } = await import('./out/module.js');
        new WebAssembly.Instance(module, ${IMPORTS}).exports.start();`,
      'module.js': "export { default } from './one.wasm?module';",
    });
    const train = [process.execPath, project.path('train.mjs')];
    const built = await build('rollup', project, {
      entry: 'module.js',
      plugin: { profile: { train, timeLimit: 60 }, split: TWO_SECONDARIES },
    });
    expect(built.warnings).toEqual([]);
    const { split, native, wire } = await unpack(built);
    expect(Buffer.compare(wire, WASM)).toBe(0);
    expect(split?.secondaries).toHaveLength(2);
    expect(native[0]?.functions.map(({ index }) => index)).toEqual([USED, START]);
    await project.write({
      'out/use.mjs': MAINS.module.replace(
        "import module from './one.wasm?module'",
        "import module from './module.js'",
      ),
    });
    const { result, stderr } = await runWell(project.path('out/use.mjs'));
    expect(result).toEqual(RESULTS_BY_FORM.module);
    expect(coldCalls(stderr)).toHaveLength(2);
  });

  test('a profile recorded with a split module is that of the original module', async () => {
    const project = await createSplitProject(MAINS.esm);
    const built = await buildSplit(project);
    await wasmPrecompile(
      'train',
      '--output',
      project.path('new'),
      '--',
      process.execPath,
      join(built.dir, 'main.js'),
    );
    const [text, old] = await Promise.all(
      ['new', 'profiles'].map(async (folder) => (await project.read(folder, 'one.wasm-profile')).toString()),
    );
    if (text === undefined || old === undefined) throw new Error('there are no profiles');
    const sha256 = /^sha256 .*$/m;
    expect(text.match(sha256)?.[0]).toBe(old.match(sha256)?.[0]);
    expect(text).toMatch(/^functions 4 of 4$/m);
    expect([...text.matchAll(/^(\d+) /gm)].map(([, index]) => Number(index))).toEqual([
      USED,
      START,
      FIRST,
      SECOND,
    ]);
  });
});

describe('the option `split`', () => {
  const SHARED = wat(
    '(module (memory 1 1 shared) (func $start (export "start") (result i32) i32.const 42) (func nop))',
  );

  test.each([
    ['does not split a module with a small saving by default', 'auto', undefined],
    ['does not split with false', false, undefined],
    ['splits into one secondary with true', true, 1],
    ['splits into the number of secondaries', { secondaries: 2, minSaving: 100 }, 2],
    ['does not split below `minSaving`', { minSaving: 1e6 }, undefined],
  ] as const)('%s', async (_, option, secondaries) => {
    const project = await createSplitProject(MAINS.esm);
    const { plugins, infos } = listen();
    const built = await build('rollup', project, {
      plugins,
      plugin: { profile: project.path('profiles'), split: option },
    });
    const { split } = await unpack(built);
    expect(split?.secondaries.length).toBe(secondaries);
    expect(infos.join()).toMatch(
      secondaries === undefined
        ? /2 of 4 functions\)$/
        : /; a startup loads [\d.]+ (?:Ki)?B of 6(?:\.\d)? KiB of wasm, the rest is in \d secondary modules?\)$/,
    );
    const code = await readFile(join(built.dir, 'main.js'), 'utf8');
    // The output includes the runtime of split modules only if it has one.
    expect(code.includes('wasm-precompile:hook') || code.includes(':hook')).toBe(secondaries !== undefined);
    expect((await runWell(join(built.dir, 'main.js'))).result).toEqual(RESULTS);
  });

  test('applies to code that loads the file itself, beside an import', async () => {
    const project = await createSplitProject(`
      import { readFileSync } from 'node:fs';
      import module from './one.wasm?module';
      const bytes = readFileSync(new URL('./one.wasm', import.meta.url));
      const results = [new WebAssembly.Module(bytes), module].map((each) => {
        const { start, second, first, table } = new WebAssembly.Instance(each, ${IMPORTS}).exports;
        return ${CALLS};
      });
      console.log(JSON.stringify(results));`);
    const built = await buildSplit(project);
    const { result, loads, stderr } = await runWell(join(built.dir, 'main.js'));
    expect(result).toEqual([RESULTS, RESULTS]);
    expect(loads.map(({ how }) => how)).toEqual(Array.from({ length: 6 }, () => 'precompiled'));
    expect(coldCalls(stderr)).toHaveLength(4);
    // Both share one artifact.
    onlyArtifact(built);
  });

  test('with runtime loading, does not recognise different bytes, and each load returns a new object', async () => {
    const project = await createSplitProject(`
      import { readFileSync } from 'node:fs';
      const url = new URL('./one.wasm', import.meta.url);
      const bytes = readFileSync(url);
      const other = Uint8Array.from(bytes);
      // One letter in the name of an export.
      other[bytes.indexOf('table')] = 'T'.charCodeAt(0);
      const [one, two, { instance }] = await Promise.all([
        WebAssembly.compile(bytes), WebAssembly.compile(bytes), WebAssembly.instantiateStreaming(fetch(url), ${IMPORTS}),
      ]);
      const names = (module) => WebAssembly.Module.exports(module).map(({ name }) => name);
      const { start, second, first, table } = instance.exports;
      const clone = structuredClone(one);
      const { readdirSync, readlinkSync } = await import('node:fs');
      const open = readdirSync('/proc/self/fd').filter((fd) => {
        try { return readlinkSync('/proc/self/fd/' + fd).endsWith('.elf'); } catch { return false; }
      });
      const many = Array.from({ length: 300000 }, (_, index) => index);
      console.log(JSON.stringify([one === two, names(one), names(clone), names(new WebAssembly.Module(other)), ${CALLS},
        open.length, structuredClone(many).length]));`);
    const built = await buildSplit(project);
    const { result, loads } = await runWell(join(built.dir, 'main.js'));
    const names = ['memory', 'table', 'used', 'start', 'first', 'second'];
    const others = names.map((name) => (name === 'table' ? 'Table' : name));
    expect(result).toEqual([false, names, names, others, RESULTS, 1, 300_000]);
    expect(loads.map(({ how }) => how)).toEqual(Array.from({ length: 5 }, () => 'precompiled'));
  });

  test('with runtime loading, does not use a damaged secondary', async () => {
    const project = await createSplitProject(`
      import { readFileSync } from 'node:fs';
      const bytes = readFileSync(new URL('./one.wasm', import.meta.url));
      const { start, second, first, table } = new WebAssembly.Instance(new WebAssembly.Module(bytes), ${IMPORTS}).exports;
      console.log(JSON.stringify(${CALLS}));`);
    const built = await buildSplit(project);
    const file = onlyArtifact(built);
    const { split } = unpackArtifact(await readFile(file), file).manifest;
    const damaged = await readFile(file);
    const { offset = 0, size = 0 } = split?.secondaries[1]?.wire ?? {};
    damaged[offset + size - 1] = ~(damaged[offset + size - 1] ?? 0);
    await writeFile(file, damaged);
    const { result, loads, stderr } = await run(join(built.dir, 'main.js')).then(({ stdout, ...rest }) => ({
      result: JSON.parse(stdout) as unknown,
      ...rest,
    }));
    expect(result).toEqual(RESULTS);
    expect(loads).toEqual([]);
    expect(stderr).toContain('it is damaged or holds another module');
  });

  test.each([
    ['auto', []],
    [true, [expect.stringContaining('one.wasm is not split: its memory is shared between threads.')]],
  ] as const)('%s reports a module that cannot be split', async (split, warnings) => {
    const project = await createSplitProject("import { start } from './one.wasm'; console.log(start());", {
      'one.wasm': SHARED,
    });
    await writeProfiles(project.path('profiles'), [
      createProfile('one', SHARED, [{ index: 0, optimised: false }]),
    ]);
    const { plugins, infos } = listen();
    const built = await build('rollup', project, {
      plugins,
      plugin: { profile: project.path('profiles'), split },
    });
    expect(built.warnings).toEqual(warnings);
    expect(infos.join()).toContain('1 of 2 functions; not split: its memory is shared between threads)');
    expect((await run(join(built.dir, 'main.js'))).stdout).toBe('42');
  });

  test('does not link instances from functions of WebAssembly that were stored before', async () => {
    const project = await createSplitProject(
      `import { early } from './early.js';
      import module from './one.wasm?module';
      const outcomes = [];
      for (const make of [early, WebAssembly.instantiate]) {
        const { second } = (await make(module, ${IMPORTS})).exports;
        try { outcomes.push(second(1000)); } catch ({ message }) { outcomes.push(message); }
      }
      console.log(JSON.stringify(outcomes));`,
      { 'early.js': 'export const early = WebAssembly.instantiate;' },
    );
    const built = await buildSplit(project);
    expect((await runWell(join(built.dir, 'main.js'))).result).toEqual([
      expect.stringMatching(/null function or function signature mismatch|table index is out of bounds/),
      1043,
    ]);
  });

  test('applies to code that loads the file and creates an instance in one expression', async () => {
    const project = await createSplitProject(`
      import { readFileSync } from 'node:fs';
      const bytes = readFileSync(new URL('./one.wasm', import.meta.url));
      const { start, first, second, table } = new WebAssembly.Instance(new WebAssembly.Module(bytes), ${IMPORTS}).exports;
      const other = await WebAssembly.instantiate(await WebAssembly.compile(bytes), ${IMPORTS});
      console.log(JSON.stringify([${CALLS}, other.exports.second(1000)]));`);
    const built = await buildSplit(project);
    expect((await unpack(built)).split).toBeDefined();
    const { result, loads } = await runWell(join(built.dir, 'main.js'));
    expect(result).toEqual([RESULTS, 1043]);
    expect(new Set(loads.map(({ how }) => how))).toEqual(new Set(['precompiled']));
  });

  test('makes `inspect` list the functions of each secondary', async () => {
    const built = await buildSplit(await createSplitProject(MAINS.esm));
    const text = await wasmPrecompile('inspect', onlyArtifact(built));
    expect(text).toMatch(
      /\n  module +wasm +functions\n  primary +\d+ +2\n  secondary 1 +\d+ +1\n  secondary 2 +\d+ +1\n/,
    );
    expect(text).toMatch(/\n  \.text\.2\.v8-/);
    const { split } = JSON.parse(await wasmPrecompile('inspect', '--json', onlyArtifact(built))) as {
      split: Record<'primary', { functions: number[] }> & Record<'secondaries', { functions: number[] }[]>;
    };
    expect([split.primary, ...split.secondaries].map(({ functions }) => functions)).toEqual([
      [USED, START],
      [FIRST],
      [SECOND],
    ]);
  });

  test('takes the primary and secondaries from the cache in a second build', async () => {
    const project = await createSplitProject(MAINS.esm);
    const cache = project.path('cache');
    const first = await buildSplit(project, { cache });
    const bytes = await readFile(onlyArtifact(first));
    const kept = await project.list('cache');
    await rm(first.dir, { recursive: true });
    const again = await buildSplit(project, { cache });
    expect(Buffer.compare(await readFile(onlyArtifact(again)), bytes)).toBe(0);
    expect(await project.list('cache')).toEqual(kept);
  });
});
