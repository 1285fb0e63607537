/** The cache of native code between builds. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createStorage, defineDriver } from 'unstorage';
import memoryDriver from 'unstorage/drivers/memory';
import { describe, expect, test } from 'vitest';
import { build, BUNDLERS, onlyArtifact, type PluginOptions } from '../support/bundlers.ts';
import { createProject, type Project, runWell } from '../support/project.ts';
import { type CountingNode, createCountingNode } from '../support/targets.ts';
import { wat, watOfValue } from '../support/wat.ts';

const MAIN = "import { value } from './one.wasm'; console.log(value());";

async function createCountedProject(): Promise<{ project: Project; target: CountingNode; cache: string }> {
  const project = await createProject({ 'one.wasm': watOfValue(1), 'main.js': MAIN });
  return { project, target: await createCountingNode(project), cache: project.path('cache') };
}

/** Builds with Rollup, checks that the program loads the artifact, and returns the artifact. */
async function artifactOf(project: Project, plugin: PluginOptions, value = 1): Promise<Buffer> {
  await rm(project.path('out'), { recursive: true, force: true });
  const built = await build('rollup', project, { plugin });
  expect(built.warnings).toEqual([]);
  const { result, loads } = await runWell(join(built.dir, 'main.js'));
  expect(result).toBe(value);
  expect(loads).toMatchObject([{ how: 'precompiled' }]);
  return readFile(onlyArtifact(built));
}

describe.each(BUNDLERS)('%s', (bundler) => {
  test('compiles nothing in a second build of the same sources', async () => {
    const { project, target, cache } = await createCountedProject();
    const plugin = { cache, targets: [target.node] };
    const first = await build(bundler, project, { plugin, output: { dir: 'first' } });
    expect(await target.compilations()).toBe(1);
    const second = await build(bundler, project, { plugin, output: { dir: 'second' } });
    expect(await target.compilations()).toBe(1);

    expect(second.files).toEqual(first.files);
    const [a, b] = await Promise.all([readFile(onlyArtifact(first)), readFile(onlyArtifact(second))]);
    expect(a.equals(b)).toBe(true);
  });
});

test('recompiles only changed modules', async () => {
  const { project, target, cache } = await createCountedProject();
  const plugin = { cache, targets: [target.node] };
  await artifactOf(project, plugin);
  await project.write({ 'one.wasm': watOfValue(2) });
  await artifactOf(project, plugin, 2);
  expect(await target.compilations()).toBe(2);

  // Other wire bytes: without the name section.
  await artifactOf(project, { ...plugin, strip: 'all' }, 2);
  expect(await target.compilations()).toBe(3);

  await project.write({ 'one.wasm': watOfValue(1) });
  await artifactOf(project, plugin);
  await artifactOf(project, { ...plugin, verify: false });
  expect(await target.compilations()).toBe(3);
});

test('compiles a module that concurrent builds have in several files', async () => {
  const { project, target, cache } = await createCountedProject();
  await project.write({
    'two.wasm': watOfValue(1),
    'main.js':
      "import { value } from './one.wasm'; import { value as two } from './two.wasm'; console.log(value() + two());",
  });
  const plugin = { cache, targets: [target.node] };
  const built = await Promise.all(
    BUNDLERS.map((bundler) => build(bundler, project, { plugin, output: { dir: bundler } })),
  );
  for (const { dir, warnings } of built) {
    expect(warnings).toEqual([]);
    const { result, loads } = await runWell(join(dir, 'main.js'));
    expect(result).toBe(2);
    expect(loads.map(({ how }) => how)).toEqual(['precompiled', 'precompiled']);
  }
});

describe('rewrites a damaged entry:', () => {
  test.each([
    [
      'one byte differs',
      (entry: Buffer) => Buffer.concat([entry.subarray(0, -1), Buffer.from([1 ^ (entry.at(-1) ?? 0)])]),
    ],
    ['it is truncated', (entry: Buffer) => entry.subarray(0, entry.length / 2)],
    ['more bytes follow', (entry: Buffer) => Buffer.concat([entry, Buffer.from('more')])],
    ['it is empty', () => Buffer.alloc(0)],
    ['another program has written it', () => Buffer.from('{"json": true}')],
  ])('%s', async (_, damage) => {
    const { project, target, cache } = await createCountedProject();
    const plugin = { cache, targets: [target.node] };
    const artifact = await artifactOf(project, plugin);

    const [name = '', ...others] = await readdir(cache);
    expect(others).toEqual([]);
    const entry = await readFile(join(cache, name));
    await writeFile(join(cache, name), damage(entry));

    expect((await artifactOf(project, plugin)).equals(artifact)).toBe(true);
    expect(await target.compilations()).toBe(2);
    expect((await readFile(join(cache, name))).equals(entry)).toBe(true);
    await artifactOf(project, plugin);
    expect(await target.compilations()).toBe(2);
  });
});

test('compiles in each build with `cache: false`', async () => {
  const { project, target } = await createCountedProject();
  const before = await project.list();
  await artifactOf(project, { cache: false, targets: [target.node] });
  await artifactOf(project, { cache: false, targets: [target.node] });
  expect(await target.compilations()).toBe(2);
  const added = (await project.list()).filter((file) => !before.includes(file));
  expect(added).toEqual([
    expect.stringMatching(/^out\/assets\/one-.+\.elf$/),
    expect.stringMatching(/^out\/assets\/wasm-precompile-.+\.node$/),
    'out/main.js',
  ]);
});

function fail(): Promise<never> {
  return Promise.reject(new Error('the store is offline'));
}

describe('unstorage', () => {
  /** Stores strings only, as many shared stores do. */
  const stringDriver = defineDriver(() => {
    const items = new Map<string, string>();
    return {
      hasItem: (key) => items.has(key),
      getItem: (key) => items.get(key) ?? null,
      setItem: (key, value) => void items.set(key, value),
      getKeys: () => [...items.keys()],
    };
  });

  test.each([
    ['a driver', () => memoryDriver()],
    ['a storage', () => createStorage({ driver: memoryDriver() })],
    ['a storage of strings', () => createStorage({ driver: stringDriver({}) })],
  ])('stores native code in %s', async (_, createStore) => {
    const { project, target } = await createCountedProject();
    const plugin = {
      cache: createStore() as Exclude<PluginOptions['cache'], undefined>,
      targets: [target.node],
    };
    const first = await artifactOf(project, plugin);
    const second = await artifactOf(project, plugin);
    expect(second.equals(first)).toBe(true);
    expect(await target.compilations()).toBe(1);
  });

  test('warns once about a store that fails', async () => {
    const project = await createProject({
      'one.wasm': watOfValue(1),
      'two.wasm': wat('(module (func (export "two") (result i32) i32.const 2))'),
      'main.js':
        "import { value } from './one.wasm'; import { two } from './two.wasm'; console.log(value() + two());",
    });
    const { dir, warnings } = await build('rollup', project, {
      plugin: { cache: { getItemRaw: fail, setItemRaw: fail } },
    });
    expect(warnings).toEqual([expect.stringContaining('the store is offline')]);
    const { result, loads } = await runWell(join(dir, 'main.js'));
    expect(result).toBe(3);
    expect(loads).toMatchObject([{ how: 'precompiled' }, { how: 'precompiled' }]);
  });
});

test('warns once, with its path, about a folder that is not writable', async () => {
  const { project, target } = await createCountedProject();
  await project.write({ file: 'not a folder' });
  const cache = project.path('file/cache');
  const { dir, warnings } = await build('rollup', project, { plugin: { cache, targets: [target.node] } });
  expect(warnings).toEqual([expect.stringContaining(cache)]);
  const { result, loads } = await runWell(join(dir, 'main.js'));
  expect(result).toBe(1);
  expect(loads).toMatchObject([{ how: 'precompiled' }]);
  expect(await target.compilations()).toBe(1);
});
