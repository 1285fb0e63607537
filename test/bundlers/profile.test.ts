/** Builds that trim native code to startup profiles. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { unpackArtifact } from '../../src/artifact/unpack.ts';
import { createProfile } from '../../src/profile/create.ts';
import { writeProfiles } from '../../src/profile/profile-files.ts';
import { formatProfiles } from '../../src/profile/profile-text.ts';
import { build, BUNDLERS, type BuildResult, onlyArtifact, type PluginOptions } from '../support/bundlers.ts';
import { ensureNode, UNKNOWN_NODE } from '../support/nodes.ts';
import { watOf } from '../support/profiled-module.ts';
import { createProject, type Project, runWell } from '../support/project.ts';
import { wat } from '../support/wat.ts';

const WASM = watOf();
const USED = 1;
const START = 3;

const FILES = {
  'one.wasm': WASM,
  'host.js': 'export const seven = () => 7;',
  'main.js': "import { start, unused } from './one.wasm'; console.log(JSON.stringify([start(), unused()]));",
};

/** The profile of a module that is not part of any build. */
const FOREIGN = { name: 'other', sha256: '0'.repeat(64), functions: 3, executed: [] };

async function createProfiledProject(): Promise<Project> {
  const project = await createProject(FILES);
  const executed = [USED, START].map((index) => ({ index, optimised: false }));
  await writeProfiles(project.path('profiles'), [createProfile('one', WASM, executed)]);
  return project;
}

/** Runs the built program and returns the functions with native code. */
async function compiledFunctions(built: BuildResult): Promise<number[]> {
  const { result, loads } = await runWell(join(built.dir, 'main.js'));
  expect(result).toEqual([42, 13]);
  expect(loads).toMatchObject([{ how: 'precompiled' }]);
  return (await unpack(built)).native.flatMap(({ functions }) => functions.map(({ index }) => index));
}

async function unpack(built: BuildResult) {
  return unpackArtifact(await readFile(onlyArtifact(built)));
}

describe.each(BUNDLERS)('%s', (bundler) => {
  test.each(['profiles', 'profiles/one.wasm-profile'])(
    'trims native code to the functions in %s',
    async (path) => {
      const project = await createProfiledProject();
      const built = await build(bundler, project, { plugin: { profile: project.path(path) } });
      expect(built.warnings).toEqual([]);
      expect(await compiledFunctions(built)).toEqual([USED, START]);
      const { native, profile } = await unpack(built);
      expect(native[0]?.statistics).toMatchObject({ functions: 3, compiled: 2, executed: 2 });
      expect(profile).toBe((await project.read('profiles/one.wasm-profile')).toString());
    },
  );
});

const buildWith = (project: Project, plugin: PluginOptions, dir = 'out') =>
  build('rollup', project, { plugin, output: { dir } });

describe('for a module that was changed or renamed after its profile was recorded, a build', () => {
  test('keeps native code of functions that it finds by name and body', async () => {
    const project = await createProfiledProject();
    const changed = watOf('(func $new (result i32) i32.const 1)');
    await project.write({ 'one.wasm': changed });
    const built = await buildWith(project, { profile: project.path('profiles') });
    expect(built.warnings).toEqual([
      expect.stringContaining('one.wasm has changed since its startup profile was recorded: 2 of its 2'),
    ]);
    expect(await compiledFunctions(built)).toEqual([USED + 1, START + 1]);
  });

  test('matches by name even if the option `strip` removes names', async () => {
    const project = await createProfiledProject();
    await project.write({ 'one.wasm': watOf('(func $new (result i32) i32.const 1)') });
    const built = await buildWith(project, { profile: project.path('profiles'), strip: 'all' });
    expect(await compiledFunctions(built)).toEqual([USED + 1, START + 1]);
  });

  test('makes native code for all functions if none of the profile is found', async () => {
    const project = await createProfiledProject();
    const other = wat(`(module
      (func $a (export "start") (result i32) i32.const 42)
      (func $b (export "unused") (result i32) i32.const 13))`);
    await project.write({ 'one.wasm': other });
    const built = await buildWith(project, { profile: project.path('profiles') });
    expect(built.warnings).toEqual([
      expect.stringContaining(
        'one.wasm: its startup profile belongs to another module (0 of its 2 functions were found)',
      ),
    ]);
    expect(await compiledFunctions(built)).toEqual([0, 1]);
  });

  test('takes a profile with another name if its SHA-256 is that of the module', async () => {
    const project = await createProfiledProject();
    await project.write({
      'two.wasm': WASM,
      'main.js': FILES['main.js'].replace('one.wasm', 'two.wasm'),
      'profiles/two.wasm-profile': formatProfiles([{ ...FOREIGN, name: 'two' }]),
    });
    const built = await buildWith(project, { profile: project.path('profiles') });
    expect(built.warnings).toEqual([]);
    expect(await compiledFunctions(built)).toEqual([USED, START]);
  });
});

describe('profiles of other modules', () => {
  test.each(['profiles', 'profiles/one.wasm-profile'])('cause one warning at the end: %s', async (path) => {
    const project = await createProfiledProject();
    await project.write({
      'two.wasm': watOf('(func $new (result i32) i32.const 1)'),
      'three.wasm': watOf('(func $newer (result i32) i32.const 1)'),
      'main.js': `
        import { start } from './two.wasm';
        import { unused } from './three.wasm';
        console.log(JSON.stringify([start(), unused()]));
      `,
    });
    const built = await buildWith(project, { profile: project.path(path) });
    expect(built.warnings).toEqual([
      expect.stringMatching(/expected the startup profile of .* \("three", "two"\), found "one"\. Native/),
    ]);
    expect(built.warnings[0]).toContain(project.path(path));
  });

  test('are ignored if one module has a profile', async () => {
    const project = await createProfiledProject();
    await project.write({
      'two.wasm': watOf('(func $new (result i32) i32.const 1)'),
      'main.js': `import './two.wasm'; ${FILES['main.js']}`,
      'profiles/other.wasm-profile': formatProfiles([FOREIGN]),
    });
    const built = await buildWith(project, { profile: project.path('profiles') });
    expect(built.warnings).toEqual([]);
  });
});

test('a damaged profile in a folder does not affect the others', async () => {
  const project = await createProfiledProject();
  await project.write({ 'profiles/other.wasm-profile': 'damaged' });
  const built = await buildWith(project, { profile: project.path('profiles') });
  expect(built.warnings).toEqual([
    expect.stringMatching(/other\.wasm-profile:1: expected .*the other profiles of .* are used/),
  ]);
  expect(await compiledFunctions(built)).toEqual([USED, START]);
});

describe('a profile that contradicts the module that it names', () => {
  const START_LINE = /^3 [0-9a-f]{16} run "start"$/m;

  test('is not used if none of its functions is found', async () => {
    const project = await createProfiledProject();
    await damage(project, (text) =>
      text.replace(/^1 .*$/m, '100 0123456789abcdef run').replace(START_LINE, '101 0123456789abcdef run'),
    );
    const built = await buildWith(project, { profile: project.path('profiles') });
    expect(built.warnings).toEqual([
      expect.stringMatching(
        /one\.wasm: its startup profile is damaged: .* 2 of 2 are not in it.* not used, native code holds all functions\. Record/,
      ),
    ]);
    expect(await compiledFunctions(built)).toEqual([1, 2, 3]);
  });

  test('is matched by function names if the bodies differ', async () => {
    const project = await createProfiledProject();
    await damage(project, (text) => text.replace(START_LINE, '3 0123456789abcdef run "unused"'));
    const built = await buildWith(project, { profile: project.path('profiles') });
    expect(built.warnings).toEqual([
      expect.stringMatching(
        /one\.wasm: its startup profile is damaged: .* 1 of 2 are .*2 of its 2 functions were/,
      ),
    ]);
    expect(await compiledFunctions(built)).toEqual([1, 2]);
  });
});

async function damage(project: Project, change: (text: string) => string): Promise<string> {
  const file = project.path('profiles/one.wasm-profile');
  const text = await readFile(file, 'utf8');
  expect(change(text)).not.toBe(text);
  await writeFile(file, change(text));
  return file;
}

describe('a build warns about an unusable profile and makes native code for all functions:', () => {
  test.each([
    ['it is missing', async (project: Project) => project.path('nowhere')],
    ['it is damaged', async (project: Project) => damage(project, (text) => text.replace(/\d/g, 'x'))],
    ['it is truncated', async (project: Project) => damage(project, (text) => text.slice(0, -30))],
    [
      'it has another version',
      async (project: Project) => damage(project, (text) => text.replace(/1$/m, '999')),
    ],
  ])('%s', async (_, prepare) => {
    const project = await createProfiledProject();
    const profile = await prepare(project);
    const built = await buildWith(project, { profile });
    expect(built.warnings).toEqual([expect.stringContaining(profile)]);
    expect(built.warnings[0]).toContain('native code holds all functions');
    expect(await compiledFunctions(built)).toEqual([1, 2, 3]);
  });
});

test('a second build reuses trimmed code for the same profile but not for another one', async () => {
  const project = await createProfiledProject();
  const cache = project.path('cache');
  const plugin = { profile: project.path('profiles'), cache };
  const first = await readFile(onlyArtifact(await buildWith(project, plugin)));
  const second = await readFile(onlyArtifact(await buildWith(project, plugin)));
  expect(second.equals(first)).toBe(true);
  await writeProfiles(project.path('profiles'), [
    createProfile('one', WASM, [{ index: START, optimised: false }]),
  ]);
  expect(await compiledFunctions(await buildWith(project, plugin, 'other'))).toEqual([START]);
});

test('a target whose layout of native code is unknown has native code for all functions', async () => {
  const project = await createProfiledProject();
  const node = await ensureNode(UNKNOWN_NODE);
  const built = await buildWith(project, { profile: project.path('profiles'), targets: [node] });
  expect(built.warnings).toEqual([
    expect.stringMatching(
      /one\.wasm: native code for node 23.* cannot be trimmed .*: the layout .* is unknown/,
    ),
  ]);
  const { native } = await unpack(built);
  expect(native).toMatchObject([{ functions: [], statistics: { functions: 3, compiled: 0 } }]);
  const { result, loads } = await runWell(join(built.dir, 'main.js'), { node });
  expect(result).toEqual([42, 13]);
  expect(loads).toMatchObject([{ how: 'precompiled' }]);
});
