/**
 * On-device compilation: if no native code can be used, it is compiled in the background and loaded at the next
 * startup. Flags of V8 that may change generated code simulate other machines.
 */
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { crc32 } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { OTHER_CONSTANT, otherSample, sample, SAMPLE_RESULT } from '../v8/modules.ts';
import { ROOT, temporaryFolder } from '../v8/support.ts';
import { ensureNode, NODE_VERSIONS } from '../support/nodes.ts';
import { filesOf, load, loadAndRecompile, onlyFile } from './recompiling.ts';
import { createProgram, type Program } from './program.ts';

const temporary = temporaryFolder();
const SAMPLE = path.join(temporary, 'sample.wasm');
const OTHER_SAMPLE = path.join(temporary, 'other-sample.wasm');
writeFileSync(SAMPLE, sample());
writeFileSync(OTHER_SAMPLE, otherSample());

const FLAGS = ['--single-threaded'];
const SCHEDULED = expect.stringMatching(
  /; on-device compilation: starts when the program is idle, for the next startup$/,
);
const RECOMPILED = expect.stringMatching(/^recompiled v8-/);
const COMPILED = { end: 0, results: [SAMPLE_RESULT], engines: [] };
const LOADED = { end: 0, results: [SAMPLE_RESULT], engines: [RECOMPILED], reasons: [] };

/** The id of a user other than the one that runs the tests. */
const ANOTHER_USER = 65_534;
const isRoot = process.getuid?.() === 0;

let folders = 0;
const newFolder = () => path.join(temporary, `cache-${folders++}`);

describe.each(NODE_VERSIONS)('in Node %s', (version) => {
  let node: string;
  let program: Program;
  beforeAll(async () => {
    node = await ensureNode(version);
    program = await createProgram(path.join(temporary, version), SAMPLE, [node]);
  });

  it.each([
    ['--single-threaded'],
    ['--no-liftoff'],
    ['--no_wasm_dynamic_tiering'],
    ['--no-wasm-lazy-compilation'],
    ['--single-threaded', '--trace-gc', '--expose-gc'],
  ])('loads native code at the second startup with %s %s %s', async (...args) => {
    const folder = newFolder();
    const run = { node, args: args.filter(Boolean), recompile: { folder } };
    const first = await loadAndRecompile(program, folder, run);
    expect(first).toMatchObject({ ...COMPILED, reasons: [SCHEDULED] });
    expect(first.stderr).toMatch(
      /WASM_PRECOMPILE_FALLBACK.*on-device compilation: starts when the program is idle, for the next startup/,
    );
    expect(await load(program, run)).toMatchObject(LOADED);
    expect(filesOf(folder, '')).toHaveLength(1);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(onlyFile(folder)).mode & 0o777).toBe(0o600);
    // Processes with other flags do not use it.
    expect(await load(program, { ...run, args: ['--single-threaded', '--stack-size=900'] })).toMatchObject({
      ...COMPILED,
      reasons: [SCHEDULED],
    });
  });

  it('compiles for this Node if the artifact is for another one', async () => {
    const folder = newFolder();
    const other = await ensureNode(version === '22' ? '24' : '22');
    const foreign = await createProgram(path.join(temporary, `not-${version}`), SAMPLE, [other]);
    const addons = readFileSync(path.join(program.folder, 'addons.json'));
    for (const [, [url]] of Object.entries<[string]>(JSON.parse(addons.toString('utf8')))) {
      expect(existsSync(new URL(url))).toBe(true);
    }
    writeFileSync(path.join(foreign.folder, 'addons.json'), addons);
    const run = { node, recompile: { folder } };
    expect(await loadAndRecompile(foreign, folder, run)).toMatchObject({ ...COMPILED, reasons: [SCHEDULED] });
    expect(await load(foreign, run)).toMatchObject(LOADED);
    expect(await load(foreign, { ...run, worker: '{}' })).toMatchObject(LOADED);
  });

  it('does nothing if the native code can be used', async () => {
    const folder = newFolder();
    const result = await load(program, { node, recompile: { folder } });
    expect(result).toMatchObject({ end: 0, results: [SAMPLE_RESULT], reasons: [] });
    expect(existsSync(folder)).toBe(false);
  });

  it.each([
    [['--disable-wasm-trap-handler'], /on-device compilation: off \(the trap handler is off/],
    [
      ['--single-threaded', '--allow-natives-syntax'],
      /on-device compilation is off \(Error: --allow-natives-syntax/,
    ],
  ])('is off with %j', async (args, why) => {
    const folder = newFolder();
    const result = await loadAndRecompile(program, folder, { node, args, recompile: { folder } });
    expect(result).toMatchObject(COMPILED);
    expect(result.stderr).toMatch(why);
    expect(existsSync(folder)).toBe(false);
  });

  it('writes nothing if the program ends at once', async () => {
    const folder = newFolder();
    expect(await load(program, { node, args: FLAGS, recompile: { folder } })).toMatchObject(COMPILED);
    const exit = {
      node,
      args: FLAGS,
      recompile: { folder, delay: 0 },
      script: 'create().loadSync(); process.exit(3);',
    };
    expect(await load(program, exit)).toMatchObject({ end: 3, reasons: [SCHEDULED] });
    expect(existsSync(folder)).toBe(false);
  });

  it('compiles once for fifty processes at the same time', async () => {
    const folder = newFolder();
    const log = path.join(program.folder, 'starts.log');
    const host = path.join(program.folder, 'counting-host.mjs');
    const real = pathToFileURL(path.join(ROOT, 'dist/v8/recompile-host.js')).href;
    writeFileSync(
      host,
      `import { appendFileSync } from 'node:fs';
appendFileSync(${JSON.stringify(log)}, 'x');
await import(${JSON.stringify(real)});`,
    );
    const run = { node, args: FLAGS, recompile: { folder, host: pathToFileURL(host).href } };
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        index % 2 === 0 ? loadAndRecompileAny(program, folder, run) : load(program, run),
      ),
    );
    for (const { end, results: printed } of results) {
      expect([end, printed]).toEqual([0, [SAMPLE_RESULT]]);
    }
    expect(readFileSync(log, 'utf8')).toBe('x');
    expect(filesOf(folder, '')).toEqual([onlyFile(folder)]);
    expect(await load(program, run)).toMatchObject(LOADED);
  });
});

/** Like `loadAndRecompile`, but also ends if another process has made the native code before. */
function loadAndRecompileAny(program: Program, folder: string, run: Parameters<typeof load>[1]) {
  const script = `
import fs from 'node:fs';
print(use(create().loadSync()));
const list = () => (fs.existsSync(${JSON.stringify(folder)}) ? fs.readdirSync(${JSON.stringify(folder)}) : []);
while (list().length !== 1 || !list()[0].endsWith('.native')) await new Promise((resolve) => setTimeout(resolve, 50));`;
  return load(program, { ...run, recompile: { delay: 0, ...run.recompile }, script });
}

describe.each(['20.19', '26'] as const)('the cache folder, in Node %s', (version) => {
  let node: string;
  let program: Program;
  beforeAll(async () => {
    node = await ensureNode(version);
    program = await createProgram(path.join(temporary, `folder-${version}`), SAMPLE, [node]);
  });
  const runIn = (folder: string) => ({ node, args: FLAGS, recompile: { folder } });
  const recompile = async (folder: string) => {
    await loadAndRecompile(program, folder, runIn(folder));
    return onlyFile(folder);
  };

  it.each<[string, (file: string) => void]>([
    ['is truncated', (file) => truncateSync(file, statSync(file).size - 1)],
    ['is empty', (file) => truncateSync(file, 0)],
    ['is longer', (file) => writeFileSync(file, 'x', { flag: 'a' })],
    [
      'has changed bytes',
      (file) => alter(file, (bytes) => bytes.fill(0xff, bytes.length - 9, bytes.length - 8)),
    ],
    ['has another header', (file) => alter(file, (bytes) => bytes.fill(0, 0, 4))],
    ['is a symbolic link', (file) => link(file)],
    ['is writable by the group', (file) => chmodSync(file, 0o620)],
    ['is writable by all', (file) => chmodSync(file, 0o602)],
    ...(isRoot
      ? [['belongs to another user', (file: string) => chownSync(file, ANOTHER_USER, 0)] as const]
      : []),
  ] as [string, (file: string) => void][])('ignores and replaces a file that %s', async (_, change) => {
    const folder = newFolder();
    change(await recompile(folder));
    expect(await loadAndRecompile(program, folder, runIn(folder))).toMatchObject({
      ...COMPILED,
      reasons: [SCHEDULED],
    });
    expect(await load(program, runIn(folder))).toMatchObject(LOADED);
  });

  it.each<[string, (folder: string) => void]>([
    ['is writable by the group', (folder) => chmodSync(folder, 0o770)],
    ['is writable by all', (folder) => chmodSync(folder, 0o1777)],
    [
      'is a symbolic link',
      (folder) => {
        renameSync(folder, `${folder}-real`);
        symlinkSync(`${folder}-real`, folder);
      },
    ],
    ...(isRoot
      ? [['belongs to another user', (folder: string) => chownSync(folder, ANOTHER_USER, 0)] as const]
      : []),
  ] as [string, (folder: string) => void][])('is not used if it %s', async (_, change) => {
    const folder = newFolder();
    const file = await recompile(folder);
    change(folder);
    const result = await load(program, runIn(folder));
    expect(result).toMatchObject({
      ...COMPILED,
      reasons: [
        expect.stringMatching(
          /; on-device compilation: off \(Error: .* must be writable by the current user only/,
        ),
      ],
    });
    expect(existsSync(file)).toBe(true);
  });

  it.runIf(isRoot)('would execute native code that another user has written', async () => {
    const folder = newFolder();
    const file = await recompile(folder);
    const otherFolder = newFolder();
    const other = await createProgram(path.join(temporary, `planted-${version}`), OTHER_SAMPLE, [node]);
    await loadAndRecompile(other, otherFolder, runIn(otherFolder));
    const bytes = readFileSync(onlyFile(otherFolder));
    // Its checksum covers another file name, so the file is invalid.
    writeFileSync(file, bytes);
    expect(await load(program, runIn(folder))).toMatchObject(COMPILED);
    // A user with write access can write the right checksum.
    bytes.writeUInt32LE(crc32(bytes.subarray(8), crc32(path.basename(file))), 4);
    writeFileSync(file, bytes, { mode: 0o600 });
    const without = await load(program, runIn(folder));
    expect(without.results[0]).toEqual([OTHER_CONSTANT, ...SAMPLE_RESULT.slice(1)]);
    writeFileSync(file, bytes, { mode: 0o600 });
    chownSync(file, ANOTHER_USER, ANOTHER_USER);
    expect(await load(program, runIn(folder))).toMatchObject(COMPILED);
  });

  it('has a maximum size: the least recently used files are removed first', async () => {
    const folder = newFolder();
    const file = await recompile(folder);
    const { size } = statSync(file);
    const old = ['a', 'b', 'c'].map((name) => path.join(folder, `v8-${name}.native`));
    for (const [age, name] of old.entries()) {
      copyFileSync(file, name);
      utimesSync(name, 1000 + age, 1000 + age);
    }
    writeFileSync(path.join(folder, 'notes.txt'), 'not ours');
    utimesSync(file, 1, 1);
    // The load makes it the most recently used file.
    expect(await load(program, runIn(folder))).toMatchObject(LOADED);
    const run = { node, args: [...FLAGS, '--stack-size=900'], recompile: { folder, maxSize: 3 * size } };
    await loadAndRecompile(program, folder, run);
    expect(old.map((name) => existsSync(name))).toEqual([false, false, true]);
    expect(existsSync(file)).toBe(true);
    expect(filesOf(folder)).toHaveLength(3);
    expect(existsSync(path.join(folder, 'notes.txt'))).toBe(true);
    expect(await load(program, run)).toMatchObject(LOADED);
  });

  it('reports a failure and does not try again at each startup', async () => {
    const folder = newFolder();
    const run = { node, args: FLAGS, recompile: { folder, maxSize: 1 } };
    expect(await loadAndRecompile(program, folder, run)).toMatchObject({ ...COMPILED, reasons: [SCHEDULED] });
    const failed = {
      ...COMPILED,
      reasons: [expect.stringMatching(/off \(it failed: it would take/)],
    };
    expect(await load(program, run)).toMatchObject(failed);
    expect(filesOf(folder, '')).toEqual(filesOf(folder, '.lock'));
    // Makes the failure old enough for another attempt.
    const [lock = ''] = filesOf(folder, '.lock');
    utimesSync(lock, 1, 1);
    expect(await loadAndRecompilePast(program, folder)).toMatchObject(COMPILED);
    expect(await load(program, runIn(folder))).toMatchObject(LOADED);
  });

  /** Waits until a stale lock is replaced by native code. */
  function loadAndRecompilePast(from: Program, folder: string) {
    return loadAndRecompileAny(from, folder, runIn(folder));
  }

  it('replaces a stale lock', async () => {
    const folder = newFolder();
    const file = await recompile(folder);
    const lock = file.replace(/-[0-9a-f]{8}\.native$/, '.lock');
    renameSync(file, lock);
    truncateSync(lock, 0);
    expect(await load(program, runIn(folder))).toMatchObject({
      ...COMPILED,
      reasons: [expect.stringMatching(/on-device compilation: in progress$/)],
    });
    utimesSync(lock, 1, 1);
    expect(await loadAndRecompilePast(program, folder)).toMatchObject({ ...COMPILED, reasons: [SCHEDULED] });
    expect(await load(program, runIn(folder))).toMatchObject(LOADED);
  });

  it('fails if the command line does not explain the flags', async () => {
    const folder = newFolder();
    const script = `
import { setFlagsFromString } from 'node:v8';
import fs from 'node:fs';
setFlagsFromString('--wasm-tiering-budget=5');
print(use(create().loadSync()));
const folder = ${JSON.stringify(folder)};
const list = () => (fs.existsSync(folder) ? fs.readdirSync(folder) : []);
while (list().length !== 1 || !list()[0].endsWith('.lock') || fs.statSync(folder + '/' + list()[0]).size === 0) await new Promise((resolve) => setTimeout(resolve, 20));`;
    const run = { node, recompile: { folder, delay: 0 }, script };
    expect(await load(program, run)).toMatchObject({ ...COMPILED, reasons: [SCHEDULED] });
    expect((await load(program, run)).reasons).toEqual([
      expect.stringMatching(/the flags of the program are not those of its command line/),
    ]);
  });
});

describe('with unusual folders and processes', () => {
  let node: string;
  let program: Program;
  beforeAll(async () => {
    node = await ensureNode('24');
    program = await createProgram(path.join(temporary, 'places'), SAMPLE, [node]);
  });

  it('uses the cache folder of the user by default', async () => {
    const home = newFolder();
    mkdirSync(home);
    for (const [env, folder] of [
      [{ HOME: home }, path.join(home, '.cache/wasm-precompile')],
      [{ HOME: '/nowhere', XDG_CACHE_HOME: path.join(home, 'xdg') }, path.join(home, 'xdg/wasm-precompile')],
    ] as const) {
      const run = { node, args: FLAGS, recompile: {}, env };
      await loadAndRecompile(program, folder, run);
      expect(await load(program, run)).toMatchObject(LOADED);
      expect(statSync(folder).mode & 0o777).toBe(0o700);
    }
  });

  it.each([
    ['/proc/1/no', /on-device compilation is off \(Error: (ENOENT|EACCES)/],
    ['/dev/null/cache', /on-device compilation(: off| is off) \(Error: ENOTDIR/],
  ])('is off if the folder cannot be created: %s', async (folder, why) => {
    const result = await loadAndRecompile(program, folder, { node, args: FLAGS, recompile: { folder } });
    expect(result).toMatchObject(COMPILED);
    expect(result.stderr).toMatch(why);
    expect(result.stderr.match(/^\(node:\d+\)/gm)).toHaveLength(1);
  });

  it('is off without a home folder', async () => {
    const result = await loadAndRecompile(program, '/nowhere', {
      node,
      args: FLAGS,
      recompile: {},
      env: { HOME: '' },
    });
    expect(result).toMatchObject(COMPILED);
  });

  it.each([
    [
      ['--allow-fs-read=*', '--allow-fs-write=*'],
      /on-device compilation is off \(Error: .*--allow-child-process|restricted/,
    ],
    [['--allow-fs-read=*', '--allow-child-process'], /on-device compilation is off \(Error: .*restricted/],
  ])('is off under the permission model with %j', async (args, why) => {
    const folder = newFolder();
    const run = { node, args: [...FLAGS, '--permission', ...args], recompile: { folder } };
    const result = await loadAndRecompile(program, folder, run);
    expect(result).toMatchObject(COMPILED);
    expect(result.stderr).toMatch(why);
    expect(filesOf(folder, '')).toEqual([]);
  });

  it('does not run the preload scripts of the program again', async () => {
    const folder = newFolder();
    const log = path.join(program.folder, 'preloads.log');
    const preload = path.join(program.folder, 'preload.cjs');
    writeFileSync(preload, `require('node:fs').appendFileSync(${JSON.stringify(log)}, 'x');`);
    const run = {
      node,
      args: [...FLAGS, '--require', preload, '--inspect=127.0.0.1:0', '--watch-path', '/nowhere'].slice(0, 4),
      env: { NODE_OPTIONS: `--import ${pathToFileURL(preload).href} --no-warnings` },
      recompile: { folder },
    };
    await loadAndRecompile(program, folder, run);
    const once = readFileSync(log, 'utf8');
    expect(await load(program, run)).toMatchObject(LOADED);
    expect(readFileSync(log, 'utf8')).toBe(once + once);
  });
});

function alter(file: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(file);
  change(bytes);
  writeFileSync(file, bytes);
}

/** Replaces a file by a symbolic link to it. */
function link(file: string): void {
  renameSync(file, `${file}-real`);
  symlinkSync(`${file}-real`, file);
}
