import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readProfiles, writeProfiles } from '../../src/profile/profile-files.ts';
import { formatProfiles, parseProfiles } from '../../src/profile/profile-text.ts';
import { mergeProfiles } from '../../src/profile/merge.ts';
import { readFunctionBodies } from '../../src/wasm/binary/code.ts';
import { readModule } from '../../src/wasm/binary/module.ts';
import { SQL_JS, SWC, temporaryFolder } from '../v8/support.ts';
import { build, entry, profileOf, profileOfAll, profileOfNames } from '../profile/support.ts';
import { cli } from './support.ts';

const folder = temporaryFolder();
const profile = (...args: string[]) => cli(['profile', ...args], { cwd: folder });
const at = (name: string) => path.join(folder, name);

const BODIES = { alpha: 'i32.const 1', beta: '(call $alpha (i32.const 2))', gamma: 'i32.const 333333' };
const wire = build(BODIES);
const nextWire = build({ first: 'i32.const 9', ...BODIES });
const recorded = { ...profileOfNames(wire, ['alpha', 'gamma']), name: 'module' };
const nextRecorded = { ...profileOfNames(nextWire, ['first', 'gamma']), name: 'module' };
const other = profileOf('other', [entry(4), entry(6, { optimised: true, name: 'o' })]);

/** Returns the sizes of the function bodies of a module, in bytes. */
const sizes = (bytes: Uint8Array) => readFunctionBodies(bytes, readModule(bytes)).map(({ size }) => size);
const sum = (numbers: number[]) => numbers.reduce((total, size) => total + size, 0);

beforeAll(async () => {
  writeFileSync(at('module.wasm'), wire);
  mkdirSync(at('next'));
  writeFileSync(at('next/module.wasm'), nextWire);
  writeFileSync(at('unknown.wasm'), build({ one: 'i32.const 1' }));
  await writeProfiles(at('before'), [recorded, other]);
  await writeProfiles(at('after'), [nextRecorded, profileOf('late', [entry(1)])]);
});

describe('wasm-precompile profile', () => {
  it('shows the profiles of a folder', async () => {
    const { exitCode, stdout, stderr } = await profile('before');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toBe(
      [
        'module  2 of 3 functions, 0 hot',
        `  SHA-256 ${recorded.sha256}`,
        'other  2 of 1000 functions, 1 hot',
        `  SHA-256 ${other.sha256}`,
      ].join('\n'),
    );
  });

  it('lists the functions', async () => {
    const { exitCode, stdout } = await profile('before/module.wasm-profile', 'before', '--functions');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('\n  2  run  alpha\n  4  run  gamma\n');
    expect(stdout).toContain('\n  4  run  wasm-function[4]\n  6  hot  o');
  });

  it('prints JSON', async () => {
    const { exitCode, stdout, stderr } = await profile('before', '--json');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual([
      { name: 'module', sha256: recorded.sha256, functions: 3, executed: 2, optimised: 0 },
      { name: 'other', sha256: other.sha256, functions: 1000, executed: 2, optimised: 1 },
    ]);
    const listed = JSON.parse((await profile('before', '--json', '-f')).stdout) as { list: unknown }[];
    expect(listed.map(({ list }) => list)).toEqual(
      JSON.parse(JSON.stringify([recorded.executed, other.executed])),
    );
  });

  it('shows what it covers of the module', async () => {
    const [alpha = 0, , gamma = 0] = sizes(wire);
    const { exitCode, stdout } = await profile('before', '-m', 'module.wasm', '-m', 'next/module.wasm');
    expect(exitCode).toBe(0);
    const size = `${alpha + gamma} B of ${sum(sizes(wire))} B of function bodies`;
    expect(stdout).toContain(
      `\n  module.wasm: the module that was recorded, 2 of 2 functions found, ${size}\n`,
    );
    const nextSize = `${alpha + gamma} B of ${sum(sizes(nextWire))} B of function bodies`;
    expect(stdout).toContain(
      `\n  next/module.wasm: another build (2 by name, 0 by body), 2 of 2 functions found, ${nextSize}\n`,
    );
    const { stdout: json } = await profile('before', '-m', 'module.wasm', '--json');
    expect(JSON.parse(json)).toMatchObject([
      {
        name: 'module',
        modules: [
          {
            file: 'module.wasm',
            exact: true,
            foreign: false,
            matched: 2,
            total: 2,
            byName: 0,
            byBody: 0,
            bodySize: alpha + gamma,
            codeSize: sum(sizes(wire)),
          },
        ],
      },
      { name: 'other', modules: [] },
    ]);
  });

  it('detects a profile that contradicts the module', async () => {
    const wrong = { ...recorded, executed: [entry(2), ...recorded.executed.slice(1)] };
    writeFileSync(at('wrong.wasm-profile'), formatProfiles([wrong]));
    const { exitCode, stdout } = await profile('wrong.wasm-profile', '-m', 'module.wasm');
    expect(exitCode).toBe(0);
    expect(stdout).toContain(
      '\n  module.wasm: the module that was recorded, but a damaged profile (wrong functions: 1; of these found: 0 by name, 0 by body), 1 of 2 functions found, ',
    );
  });

  it('detects a different module', async () => {
    const foreign = { ...profileOfAll('wasm_bg', readFileSync(SQL_JS)) };
    writeFileSync(at('foreign.wasm-profile'), formatProfiles([foreign]));
    const { exitCode, stdout } = await profile('foreign.wasm-profile', '--module', SWC);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /wasm_bg\.wasm: a different module, \d+ of 1968 functions found, .* of 1\d(?:\.\d)? MiB/,
    );
  });

  it('prints no control characters of names', async () => {
    const odd = profileOf('\u001b[31mred\n', [entry(1, { name: '\u0007bell\r\n' })]);
    writeFileSync(at('odd.wasm-profile'), formatProfiles([odd]));
    const { stdout } = await profile('odd.wasm-profile', '--functions');
    expect(stdout).not.toMatch(/[^\P{Cc}\n]/u);
    expect(stdout).toContain('[31mred  1 of 1000');
    expect(stdout).toContain('1  run  bell');
  });
});

describe('wasm-precompile profile --merge', () => {
  const more = { ...recorded, executed: profileOfAll('module', wire).executed.slice(0, 2) };

  it('writes one file', async () => {
    await writeProfiles(at('more'), [more]);
    const { exitCode, stdout } = await profile('before', 'more', '--merge', '-o', 'deep/all.wasm-profile');
    expect(exitCode).toBe(0);
    const merged = mergeProfiles([recorded, other, more]);
    expect(parseProfiles(readFileSync(at('deep/all.wasm-profile'), 'utf8'), 'all')).toEqual(merged);
    expect(stdout).toContain('module  3 of 3 functions, 1 hot');
    expect(stdout).toMatch(/^deep\/all\.wasm-profile$/m);
  });

  it('writes a folder, and merges into existing profiles', async () => {
    const first = await profile('before', '--merge', '-o', 'merged', '--json');
    expect(JSON.parse(first.stdout)).toMatchObject({
      files: ['merged/module.wasm-profile', 'merged/other.wasm-profile'],
      profiles: [{ name: 'module', executed: 2 }, { name: 'other' }],
    });
    await writeProfiles(at('more'), [more]);
    expect((await profile('more', '--merge', '-o', 'merged')).exitCode).toBe(0);
    expect(await readProfiles(at('merged'))).toEqual(mergeProfiles([recorded, other, more]));
  });

  it('fails if it cannot write', async () => {
    const { exitCode, stderr } = await profile('before', '--merge', '-o', 'module.wasm/x.wasm-profile');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^wasm-precompile: module\.wasm\/x\.wasm-profile: cannot be written: /);
  });
});

describe('wasm-precompile profile --diff', () => {
  it('prints added and removed functions', async () => {
    const { exitCode, stdout, stderr } = await profile('before', 'after', '--diff');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toBe(
      [
        'module (another build): 1 added, 1 removed, 1 in both',
        '- alpha',
        '+ first',
        'other (only in the first): 0 added, 2 removed, 0 in both',
        '- wasm-function[4]',
        '- o',
        'late (only in the second): 1 added, 0 removed, 0 in both',
        '+ wasm-function[1]',
      ].join('\n'),
    );
  });

  it('prints unchanged profiles', async () => {
    const { exitCode, stdout } = await profile('--diff', 'before', 'before');
    expect(exitCode).toBe(0);
    expect(stdout).toBe('module: 0 added, 0 removed, 2 in both\nother: 0 added, 0 removed, 2 in both');
  });

  it('prints JSON', async () => {
    const { stdout } = await profile('before', 'after', '--diff', '--json');
    expect(JSON.parse(stdout)).toMatchObject([
      {
        name: 'module',
        before: recorded.sha256,
        after: nextRecorded.sha256,
        added: [{ index: 2, name: 'first' }],
        removed: [{ index: 2, name: 'alpha' }],
        both: 1,
      },
      { name: 'other', before: other.sha256, after: null, added: [], both: 0 },
      { name: 'late', before: null, removed: [], both: 0 },
    ]);
  });
});

describe('wasm-precompile profile fails', () => {
  it.each([
    [
      'for a missing file',
      ['none'],
      /^wasm-precompile: none: expected a startup profile or a folder with startup profiles/,
    ],
    ['for a folder without profiles', ['next'], /next: expected startup profiles \(\*\.wasm-profile\)/],
    ['for a file that is no profile', ['module.wasm'], /module\.wasm: ?.*expected/],
    ['for a missing module', ['before', '-m', 'none.wasm'], /none\.wasm: cannot be read: ENOENT/],
    ['for a damaged module', ['before', '-m', 'before/module.wasm-profile'], /expected a WebAssembly binary/],
    [
      'for a module without a profile',
      ['before', '-m', 'unknown.wasm'],
      /unknown\.wasm: expected a startup profile of this module.*unknown, in before; found profiles of module, other\. Record one/,
    ],
  ])('%s, with exit code 1', async (_, args, message) => {
    const { exitCode, stdout, stderr } = await profile(...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^ +at /m);
  });

  it.each([
    ['without a path', [], /missing required argument 'paths'/],
    ['with an unknown option', ['before', '--xml'], /unknown option '--xml'/],
    ['when merging to nowhere', ['before', '--merge'], /--merge needs --output/],
    ['with an output for nothing', ['before', '-o', 'x'], /--output requires --merge/],
    ['when comparing one', ['before', '--diff'], /--diff takes two files or folders, not 1/],
    ['when comparing three', ['before', 'after', 'before', '--diff'], /not 3/],
    [
      'when merging and comparing',
      ['before', 'after', '--merge', '--diff'],
      /cannot be used with option '--diff'/,
    ],
    [
      'when comparing modules',
      ['before', 'after', '--diff', '-m', 'x'],
      /cannot be used with option '--diff'/,
    ],
  ])('%s, with exit code 2', async (_, args, message) => {
    const { exitCode, stdout, stderr } = await profile(...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });
});
