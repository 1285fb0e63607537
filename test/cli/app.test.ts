/** `wasm-precompile app`, and the register hook of programs that no bundler has built. */
import { chmod, cp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { execa } from 'execa';
import { beforeAll, describe, expect, test } from 'vitest';
import { ensureNode, NODE_VERSIONS } from '../support/nodes.ts';
import { CHECKOUT, createProject, type Project, run, runWell, SHARED_CACHE } from '../support/project.ts';
import { wat, watOfValue } from '../support/wat.ts';

const CLI = join(CHECKOUT, 'dist/cli/index.js');
const HOOKS = {
  '--import': pathToFileURL(join(CHECKOUT, 'dist/register/app-esm.js')).href,
  '--require': join(CHECKOUT, 'dist/register/app-cjs.cjs'),
};
const IMPORT = ['--import', HOOKS['--import']];

const moduleWith = (value: number) =>
  wat(`(module
    (func (export "value") (result i32) i32.const ${value})
    (func (export "unused") (result i32) i32.const 13))`);

const LARGE = moduleWith(42);

/** The same length. */
const OTHER = moduleWith(43);

const FILES = {
  'package.json': '{ "name": "program", "private": true }',
  'src/deep/app.mjs': `
    import { readFileSync } from 'node:fs';
    import { Worker, isMainThread, parentPort } from 'node:worker_threads';
    const { Module, Instance } = WebAssembly;
    const bytes = readFileSync(new URL('../../large.bin', import.meta.url));
    const value = new Instance(new Module(bytes)).exports.value();
    if (!isMainThread) parentPort.postMessage(value);
    else if (process.argv[2] === 'worker') {
      new Worker(new URL(import.meta.url)).on('message', (inWorker) => console.log(JSON.stringify([value, inWorker])));
    } else console.log(JSON.stringify(value));
  `,
  'large.bin': LARGE,
};

const app = (cwd: string, ...args: string[]) =>
  execa(process.execPath, [CLI, 'app', '--cache', SHARED_CACHE, '--threshold', '0', '--runs', '1', ...args], {
    cwd,
    reject: false,
    env: { NODE_OPTIONS: undefined },
  });

async function createApp(): Promise<Project> {
  const project = await createProject(FILES);
  const { exitCode, stderr, stdout } = await app(project.folder, '--', process.execPath, 'src/deep/app.mjs');
  expect({ exitCode, stderr: stderr.replaceAll(/^wasm-precompile: compiling .*\n?/gm, '') }).toEqual({
    exitCode: 0,
    stderr: '',
  });
  expect(stdout).toMatch(/precompiled, 1 of 2 functions\nWritten to \.wasm-precompile\./);
  return project;
}

describe('a program that was recorded', () => {
  let project: Project;
  let main: string;
  beforeAll(async () => {
    project = await createApp();
    main = project.path('src/deep/app.mjs');
  });

  test.each(Object.entries(HOOKS))('starts precompiled with %s', async (option, hook) => {
    const { result, loads } = await runWell(main, { nodeArgs: [option, hook] });
    expect(result).toBe(42);
    expect(loads.map(({ how }) => how)).toEqual(['precompiled']);
  });

  test('starts precompiled with both, and in a worker thread', async () => {
    const nodeArgs = Object.entries(HOOKS).flat();
    const { stdout, stderr } = await execa(process.execPath, [...nodeArgs, main, 'worker'], {
      env: { NODE_DEBUG: 'wasm-precompile' },
    });
    expect(JSON.parse(stdout)).toEqual([42, 42]);
    expect(stderr.match(/ precompiled \(/g)).toHaveLength(2);
  });

  test.each(NODE_VERSIONS)('runs on Node %s', async (version) => {
    const { result } = await runWell(main, { node: await ensureNode(version), nodeArgs: IMPORT });
    expect(result).toBe(42);
  });

  test('compiles other bytes as usual', async () => {
    const copy = await createProject(FILES);
    await cp(project.path('.wasm-precompile'), copy.path('.wasm-precompile'), { recursive: true });
    await writeFile(copy.path('large.bin'), OTHER);
    const plain = await run(copy.path('src/deep/app.mjs'));
    const hooked = await run(copy.path('src/deep/app.mjs'), { nodeArgs: IMPORT });
    expect(plain.stdout).toBe('43');
    expect([hooked.stdout, hooked.exitCode, hooked.loads]).toEqual([plain.stdout, plain.exitCode, []]);
  });

  test('keeps modules of another command', async () => {
    await project.write({
      'small.bin': watOfValue(7),
      'other.cjs': `console.log(JSON.stringify(new WebAssembly.Instance(new WebAssembly.Module(
        require('node:fs').readFileSync(__dirname + '/small.bin'))).exports.value()));`,
    });
    const { exitCode } = await app(project.folder, '--', process.execPath, 'other.cjs');
    expect(exitCode).toBe(0);
    const other = await runWell(project.path('other.cjs'), { nodeArgs: IMPORT });
    expect([other.result, other.loads.map(({ how }) => how)]).toEqual([7, ['precompiled']]);
    expect((await runWell(main, { nodeArgs: IMPORT })).loads).toMatchObject([{ how: 'precompiled' }]);
  });
});

describe('what is wrong', () => {
  const TAMPERED: [string, (folder: string) => Promise<unknown>, RegExp][] = [
    ['a folder that others may write to', (folder) => chmod(folder, 0o777), /writable by the current user/],
    [
      'an index that others may write to',
      (folder) => chmod(join(folder, 'index.json'), 0o666),
      /only the current user/,
    ],
    ['an index that is no JSON', (folder) => writeFile(join(folder, 'index.json'), '{'), /JSON/],
    [
      'an index of another version',
      (folder) => writeFile(join(folder, 'index.json'), '{"format":99}'),
      /another version/,
    ],
    [
      'a name that leads out of the folder',
      async (folder) => {
        const index = join(folder, 'index.json');
        await writeFile(index, (await readFile(index, 'utf8')).replace(/"file":"/, '"file":"../'));
      },
      /is no file name/,
    ],
    [
      'a symbolic link instead of the index',
      async (folder) => {
        const index = join(folder, 'index.json');
        await cp(index, join(dirname(folder), 'elsewhere.json'));
        await rm(index);
        await symlink(join(dirname(folder), 'elsewhere.json'), index);
      },
      /ELOOP/,
    ],
  ];

  test.each(TAMPERED)('%s: the program runs plain, with one warning', async (_, tamper, message) => {
    const project = await createApp();
    await tamper(project.path('.wasm-precompile'));
    const { result, loads, stderr } = await runWell(project.path('src/deep/app.mjs'), { nodeArgs: IMPORT });
    expect([result, loads]).toEqual([42, []]);
    expect(stderr.match(/\[WASM_PRECOMPILE_FALLBACK\].*/g)).toEqual([expect.stringMatching(message)]);
  });

  test('the umask of the writer does not matter', async () => {
    const project = await createProject(FILES);
    const command = `umask 002 && exec "${process.execPath}" "${CLI}" app --cache "${SHARED_CACHE}" --threshold 0 --runs 1 -- "${process.execPath}" src/deep/app.mjs`;
    await execa('/bin/sh', ['-c', command], { cwd: project.folder, env: { NODE_OPTIONS: undefined } });
    const { loads } = await runWell(project.path('src/deep/app.mjs'), { nodeArgs: IMPORT });
    expect(loads).toMatchObject([{ how: 'precompiled' }]);
  });

  test('one artifact is missing: the others are used', async () => {
    const project = await createApp();
    await project.write({
      'other.bin': OTHER,
      'other.cjs': `console.log(JSON.stringify(new WebAssembly.Instance(new WebAssembly.Module(
        require('node:fs').readFileSync(__dirname + '/other.bin'))).exports.value()));`,
    });
    const [missing = ''] = (await project.list('.wasm-precompile')).filter((name) => name.endsWith('.elf'));
    expect((await app(project.folder, '--', process.execPath, 'other.cjs')).exitCode).toBe(0);
    await rm(project.path('.wasm-precompile', missing));
    expect((await runWell(project.path('src/deep/app.mjs'), { nodeArgs: IMPORT })).result).toBe(42);
    const other = await runWell(project.path('other.cjs'), { nodeArgs: IMPORT });
    expect([other.result, other.loads.map(({ how }) => how)]).toEqual([43, ['precompiled']]);
  });

  test('an argument of `node -e` is no program', async () => {
    const project = await createApp();
    const code = `new WebAssembly.Module(require('node:fs').readFileSync(${JSON.stringify(project.path('large.bin'))}))`;
    const { stderr } = await execa(process.execPath, [...IMPORT, '-e', code, project.path('data.json')], {
      env: { NODE_DEBUG: 'wasm-precompile' },
    });
    expect(stderr).toBe('');
  });

  test('a program without the folder runs plain, and quietly', async () => {
    const project = await createProject(FILES);
    const { result, loads, stderr } = await runWell(project.path('src/deep/app.mjs'), { nodeArgs: IMPORT });
    expect([result, loads, stderr]).toEqual([42, [], '']);
  });

  test('the search ends at the root of the package', async () => {
    const project = await createApp();
    await project.write({ 'src/package.json': '{}' });
    const main = project.path('src/deep/app.mjs');
    expect((await runWell(main, { nodeArgs: IMPORT })).loads).toEqual([]);
    const env = { WASM_PRECOMPILE_APP: project.path('.wasm-precompile') };
    expect((await runWell(main, { nodeArgs: IMPORT, env })).loads).toMatchObject([{ how: 'precompiled' }]);
    const wrong = await runWell(main, { nodeArgs: IMPORT, env: { WASM_PRECOMPILE_APP: 'relative' } });
    expect([wrong.result, wrong.stderr]).toEqual([42, expect.stringContaining('absolute path')]);
  });

  test('a command that compiles nothing: exits with code 1 and writes nothing', async () => {
    const project = await createProject({ 'app.mjs': '' });
    const { exitCode, stderr } = await app(project.folder, '--', process.execPath, 'app.mjs');
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining('loaded no WebAssembly module')]);
    expect(await project.list()).not.toContain('.wasm-precompile/index.json');
  });

  test('a command that cannot be started: exits with code 1', async () => {
    const project = await createProject({});
    const { exitCode, stderr } = await app(project.folder, '--', 'no-such-command');
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining('no-such-command cannot be started')]);
  });
});
