/** Builds of split modules whose memory contents are stored outside the primary module. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { unpackArtifact } from '../../src/artifact/unpack.ts';
import { createProfile } from '../../src/profile/create.ts';
import { writeProfiles } from '../../src/profile/profile-files.ts';
import { build, type BuildResult, onlyArtifact } from '../support/bundlers.ts';
import { ensureNode, NODE_VERSIONS } from '../support/nodes.ts';
import { createProject, type Files, type Project, run, runWell, wasmPrecompile } from '../support/project.ts';
import { wat } from '../support/wat.ts';

/** Bytes of data, enough to be stored outside the primary. */
const SIZE = 300_000;
const CONTENT = 'precompiled '.repeat(SIZE / 12);

/** `sum` adds up all bytes of the memory; `cold` is in a secondary. */
const WASM = wat(`(module
  (memory (export "memory") 8 10)
  (data (i32.const 1000) "${CONTENT}")
  (data (i32.const 400000) "behind a gap")
  (func $sum (export "sum") (result i32) (local $at i32) (local $sum i32)
    loop $next
      local.get $sum local.get $at i32.load8_u i32.add local.set $sum
      local.get $at i32.const 1 i32.add local.tee $at
      memory.size i32.const 65536 i32.mul i32.lt_u br_if $next
    end
    local.get $sum)
  (func $cold (export "cold") (result i32)
    ${'nop '.repeat(1000)} i32.const 1 memory.grow drop call $sum))`);

const SUM = [...Buffer.from(`${CONTENT}behind a gap`)].reduce((sum, byte) => sum + byte, 0);

const USE = (exports: string) => `[${exports}.sum(), ${exports}.cold(), ${exports}.memory.buffer.byteLength]`;
const USED = [SUM, SUM, 9 * 65_536];

const MAINS = {
  esm: `import * as exports from './one.wasm'; console.log(JSON.stringify(${USE('exports')}));`,
  init: `import init from './one.wasm?init';
    const { exports } = await init(); console.log(JSON.stringify(${USE('exports')}));`,
  module: `import module from './one.wasm?module';
    const { exports } = new WebAssembly.Instance(module);
    console.log(JSON.stringify(${USE('exports')}));`,
};

const SHARED = `
  import module from './one.wasm?module';
  const make = () => new WebAssembly.Instance(module).exports;`;

async function createMemoryProject(main: string, files: Files = {}): Promise<Project> {
  const project = await createProject({ 'one.wasm': WASM, 'main.js': main, ...files });
  await writeProfiles(project.path('profiles'), [
    createProfile('one', WASM, [{ index: 0, optimised: false }]),
  ]);
  return project;
}

async function buildWithMemory(main: string, plugin = {}, files: Files = {}): Promise<BuildResult> {
  const project = await createMemoryProject(main, files);
  const built = await build('rollup', project, {
    plugin: { profile: project.path('profiles'), split: { minSaving: 0 }, ...plugin },
  });
  const { split, wire } = unpackArtifact(await readFile(onlyArtifact(built)));
  expect(split?.memory?.length).toBeGreaterThan(SIZE);
  expect(split?.primary.length).toBeLessThan(1000);
  expect(Buffer.compare(wire, WASM)).toBe(0);
  return built;
}

const mainOf = ({ dir }: BuildResult) => join(dir, 'main.js');

/** Changes a byte of the memory contents in an artifact. */
async function damageMemory(built: BuildResult): Promise<void> {
  const file = onlyArtifact(built);
  const bytes = await readFile(file);
  const { offset = 0 } = unpackArtifact(bytes).manifest.split?.memory ?? {};
  bytes[offset + 5000] = (bytes[offset + 5000] ?? 0) ^ 1;
  await writeFile(file, bytes);
}

describe.each(['esm', 'init', 'module'] as const)('%s', (form) => {
  test('gives the same results in each Node: precompiled, without the native addon, and compiled', async () => {
    const nodes = await Promise.all(NODE_VERSIONS.map((version) => ensureNode(version)));
    const built = await buildWithMemory(MAINS[form], { targets: nodes, fallback: 'silent' });
    for (const node of nodes) {
      // The runs are sequential.
      // oxlint-disable-next-line no-await-in-loop
      const usual = await runWell(mainOf(built), { node });
      expect([usual.result, usual.loads.map(({ how }) => how)]).toEqual([
        USED,
        ['precompiled', 'precompiled'],
      ]);
      for (const nodeArgs of [['--no-addons'], ['--no-liftoff']]) {
        // oxlint-disable-next-line no-await-in-loop
        expect((await runWell(mainOf(built), { node, nodeArgs })).result).toEqual(USED);
      }
    }
  });
});

describe('instances', () => {
  test('have separate memories with the initial contents, and no visible import', async () => {
    const built = await buildWithMemory(`${SHARED}
      const [one, two] = [make(), make()];
      new Uint8Array(one.memory.buffer).fill(1);
      const three = (await WebAssembly.instantiate(module, {})).exports;
      console.log(JSON.stringify([two.sum(), three.sum(), one.memory === two.memory, WebAssembly.Module.imports(module),
        WebAssembly.Module.exports(module).map(({ name }) => name), Object.keys(one)]));`);
    const names = ['memory', 'sum', 'cold'];
    expect((await runWell(mainOf(built))).result).toEqual([SUM, SUM, false, [], names, names]);
  });

  test('of another realm, which the runtime cannot link, fail to instantiate', async () => {
    const built = await buildWithMemory(`
      import { runInNewContext } from 'node:vm';
      ${SHARED}
      const Instance = runInNewContext('WebAssembly.Instance');
      let outcome = 'an instance';
      try { new Instance(module, {}); } catch ({ message }) { outcome = message; }
      console.log(JSON.stringify([outcome, make().sum()]));`);
    expect((await runWell(mainOf(built))).result).toEqual([
      expect.stringMatching(/Import #0 .*"wasm-precompile"/),
      SUM,
    ]);
  });

  test('work in workers: of the same program, and of a module that is posted', async () => {
    const built = await buildWithMemory(
      `${SHARED}
      import { isMainThread, parentPort, Worker } from 'node:worker_threads';
      if (isMainThread) {
        const answer = (worker) => new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
        const answers = await Promise.all([
          answer(new Worker(new URL(import.meta.url))),
          answer(new Worker(new URL('../worker.mjs', import.meta.url), { workerData: { module } })),
        ]);
        console.log(JSON.stringify([...answers, make().cold()]));
      } else parentPort.postMessage(make().cold());`,
      {},
      {
        'worker.mjs': `import { parentPort, workerData } from 'node:worker_threads';
          parentPort.postMessage(new WebAssembly.Instance(workerData.module).exports.cold());`,
      },
    );
    expect((await runWell(mainOf(built))).result).toEqual([SUM, SUM, SUM]);
  });
});

describe('an artifact whose memory contents are damaged', () => {
  const MAIN = `${SHARED}
    const attempt = () => { try { return make().sum(); } catch ({ message }) { return message; } };
    console.log(JSON.stringify([attempt(), attempt()]));`;
  const damaged = expect.stringMatching(/\.elf: a part of its wasm module is damaged or missing\. Deploy/);

  test.each([[[]], [['--no-addons']]])('creates no instance, node %j', async (nodeArgs) => {
    const built = await buildWithMemory(MAIN, { fallback: 'silent' });
    await damageMemory(built);
    expect((await runWell(mainOf(built), { nodeArgs })).result).toEqual([damaged, damaged]);
  });

  test('creates none with `verify: false` either, because the contents are stored nowhere else', async () => {
    const built = await buildWithMemory(MAIN, { verify: false });
    await damageMemory(built);
    expect((await runWell(mainOf(built))).result).toEqual([damaged, damaged]);
  });

  test('is replaced by the original module if code loads the file itself', async () => {
    const built = await buildWithMemory(`
      import { readFileSync } from 'node:fs';
      const bytes = readFileSync(new URL('./one.wasm', import.meta.url));
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
      console.log(JSON.stringify(${USE('exports')}));`);
    expect((await runWell(mainOf(built))).result).toEqual(USED);
    await damageMemory(built);
    const { stdout, loads } = await run(mainOf(built));
    expect(JSON.parse(stdout)).toEqual(USED);
    expect(loads).toEqual([]);
  });
});

test.skipIf(process.platform !== 'linux').each([
  ['is removed', 'rmSync(file);', SUM],
  [
    'is replaced by another build',
    'writeFileSync(new URL("new", folder), readFileSync(file).fill(7)); renameSync(new URL("new", folder), file);',
    SUM,
  ],
  ['is overwritten', 'writeFileSync(file, readFileSync(file).fill(7));', 'damaged'],
])(
  'a program whose artifact %s while it runs reads consistent or no contents',
  async (_, change, expected) => {
    const program = (first: boolean) => `${SHARED}
    import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
    const folder = new URL('./assets/', import.meta.url);
    const file = new URL(readdirSync(folder).find((each) => each.endsWith('.elf')), folder);
    const attempt = () => { try { return make().sum(); } catch ({ message }) { return /damaged/.exec(message)?.[0]; } };
    const before = ${first ? 'attempt()' : SUM};
    ${change}
    console.log(JSON.stringify([before, attempt()]));`;
    const later = await buildWithMemory(program(true));
    expect((await runWell(mainOf(later))).result).toEqual([SUM, expected]);
    // Without the native addon the runtime has read nothing before the change.
    for (const nodeArgs of [[], ['--no-addons']]) {
      // The builds are sequential.
      // oxlint-disable-next-line no-await-in-loop
      const built = await buildWithMemory(program(false), { fallback: 'silent' });
      // oxlint-disable-next-line no-await-in-loop
      const { result } = await runWell(mainOf(built), { nodeArgs });
      // With the addon, the memory of the first instance is filled by then, or the runtime detects the damage.
      expect([[SUM, expected], ...(nodeArgs.length === 0 ? [[SUM, SUM]] : [])]).toContainEqual(result);
    }
  },
);

test('`inspect` lists the section of the memory contents', async () => {
  const built = await buildWithMemory(MAINS.esm);
  const text = await wasmPrecompile('inspect', onlyArtifact(built));
  expect(text).toMatch(/\n  \.wasm\.memory +\d+ +30\d{4} /);
});
