import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { readProfiles, writeProfileFile, writeProfiles } from '../../src/profile/profile-files.ts';
import { formatProfiles } from '../../src/profile/profile-text.ts';
import { mergeProfiles } from '../../src/profile/merge.ts';
import { temporaryFolder } from '../v8/support.ts';
import { entry, profileOf } from './support.ts';

const root = temporaryFolder();
let folder: string;
let count = 0;

beforeEach(() => {
  folder = path.join(root, String(count++), 'profiles');
});

const inFolder = (name: string) => path.join(folder, name);
const list = () => readdirSync(folder).toSorted();
const read = (name: string) => readFileSync(inFolder(name), 'utf8');

function put(name: string, contents: string | Uint8Array): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(inFolder(name), contents);
  return inFolder(name);
}

const a = profileOf('a', [entry(1), entry(3, { optimised: true })]);
const b = profileOf('b', [entry(2, { name: 'two' })]);
/** Another module, or another build, with the name of `a`. */
const otherA = profileOf('a', [entry(7)], '2');
const otherFile = `a-${otherA.sha256.slice(0, 8)}.wasm-profile`;

describe('reading', () => {
  test('reads a file', async () => {
    expect(await readProfiles(put('x.txt', formatProfiles([a, b])))).toEqual([a, b]);
  });

  test('reads all profiles of a folder', async () => {
    put('b.wasm-profile', formatProfiles([b]));
    put('a.wasm-profile', formatProfiles([a]));
    put('README.md', 'not a profile');
    mkdirSync(inFolder('nested'));
    writeFileSync(inFolder('nested/c.wasm-profile'), 'not read');
    expect(await readProfiles(folder)).toEqual([a, b]);
    symlinkSync(folder, `${folder}-link`);
    expect(await readProfiles(`${folder}-link`)).toEqual([a, b]);
  });

  test('merges the profiles of a module from several files', async () => {
    const more = { ...a, executed: [entry(1), entry(9)] };
    put('a.wasm-profile', formatProfiles([a]));
    put('more.wasm-profile', formatProfiles([more]));
    expect(await readProfiles(folder)).toEqual(mergeProfiles([a, more]));
  });

  test('accepts CRLF and a byte order mark', async () => {
    const text = `\uFEFF${formatProfiles([a]).replaceAll('\n', '\r\n')}`;
    expect(await readProfiles(put('a.wasm-profile', text))).toEqual([a]);
  });

  test('skips damaged files of a folder if the caller allows it', async () => {
    put('a.wasm-profile', formatProfiles([a]).slice(0, -5));
    put('b.wasm-profile', formatProfiles([b]));
    const skipped: string[] = [];
    const skip = ({ message }: Error) => skipped.push(message);
    expect(await readProfiles(folder, skip)).toEqual([b]);
    expect(skipped).toEqual([expect.stringMatching(/a\.wasm-profile:\d+: expected .*cut off/)]);
    await expect(readProfiles(inFolder('a.wasm-profile'), skip)).rejects.toThrow('cut off');
    put('b.wasm-profile', '');
    await expect(readProfiles(folder, skip)).rejects.toMatchObject({ code: 'INVALID_PROFILE' });
    expect(skipped).toHaveLength(1);
  });

  test.each([
    [
      'nothing',
      () => inFolder('none'),
      'UNREADABLE_FILE',
      /none: expected a startup profile or a folder with startup profiles, found nothing\. Record one/,
    ],
    [
      'an empty folder',
      () => path.dirname(put('x.txt', '')),
      'INVALID_PROFILE',
      /profiles: expected startup profiles \(\*\.wasm-profile\) in this folder, found none\. Record one/,
    ],
    [
      'a file without modules',
      () => put('a.wasm-profile', formatProfiles([])),
      'INVALID_PROFILE',
      /expected the startup profile of at least one module/,
    ],
    [
      'an empty file',
      () => put('a.wasm-profile', ''),
      'INVALID_PROFILE',
      /a\.wasm-profile:1: expected .*found an empty file/,
    ],
    [
      'a folder with a damaged file',
      () => {
        put('b.wasm-profile', formatProfiles([b]));
        return path.dirname(put('a.wasm-profile', formatProfiles([a]).slice(0, -5)));
      },
      'INVALID_PROFILE',
      /a\.wasm-profile:\d+: expected .*cut off/,
    ],
    [
      'bytes',
      () => put('a.wasm-profile', Uint8Array.of(0xff, 0xfe, 0x77, 0)),
      'INVALID_PROFILE',
      /a\.wasm-profile: expected .* UTF-8, found bytes that are not UTF-8.*wasm-precompile train/,
    ],
    [
      'a folder as a file of a folder',
      () => {
        mkdirSync(inFolder('a.wasm-profile'), { recursive: true });
        return folder;
      },
      'UNREADABLE_FILE',
      /a\.wasm-profile: cannot be read: EISDIR/,
    ],
    [
      'a file as a folder',
      () => path.join(put('a.wasm-profile', ''), 'x'),
      'UNREADABLE_FILE',
      /cannot be read: ENOTDIR/,
    ],
  ])('fails for %s', async (_, make, code, message) => {
    await expect(readProfiles(make())).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});

describe('writing', () => {
  test('writes a file for each module, into a new folder', async () => {
    const files = await writeProfiles(folder, [b, a]);
    expect(files).toEqual([inFolder('a.wasm-profile'), inFolder('b.wasm-profile')]);
    expect(list()).toEqual(['a.wasm-profile', 'b.wasm-profile']);
    expect(read('a.wasm-profile')).toBe(formatProfiles([a]));
    expect(await readProfiles(folder)).toEqual([a, b]);
  });

  test('writes two files for two modules with one name', async () => {
    const sorted = mergeProfiles([a, otherA]);
    const files = await writeProfiles(folder, [otherA, a]);
    expect(files).toEqual([
      inFolder('a.wasm-profile'),
      inFolder(`a-${sorted[1]?.sha256.slice(0, 8)}.wasm-profile`),
    ]);
    expect(await readProfiles(folder)).toEqual(sorted);
    for (const order of [
      [a, otherA],
      [otherA, a],
    ])
      expect(await writeProfiles(folder, order)).toEqual(files);
    expect(list()).toHaveLength(2);
  });

  test('keeps the existing file of a module', async () => {
    for (const [first, second] of [
      [a, otherA],
      [otherA, a],
    ] as const) {
      folder += first === a ? '1' : '2';
      await writeProfiles(folder, [first]);
      await writeProfiles(folder, [second, first]);
      expect(read('a.wasm-profile')).toBe(formatProfiles([first]));
      expect(read(`a-${second.sha256.slice(0, 8)}.wasm-profile`)).toBe(formatProfiles([second]));
      // It keeps the file even if it is the only module now.
      expect(await writeProfiles(folder, [second])).toEqual([
        inFolder(`a-${second.sha256.slice(0, 8)}.wasm-profile`),
      ]);
      expect(await readProfiles(folder)).toEqual(mergeProfiles([a, otherA]));
    }
  });

  test('separates two modules that are in one file', async () => {
    put('a.wasm-profile', formatProfiles([a, otherA]));
    expect(await writeProfiles(folder, [a, otherA])).toHaveLength(2);
    expect(await readProfiles(inFolder('a.wasm-profile'))).toHaveLength(1);
    expect(await readProfiles(folder)).toEqual(mergeProfiles([a, otherA]));
  });

  test('distinguishes names that differ in case only', async () => {
    const upper = profileOf('A', [entry(1)]);
    expect(await writeProfiles(folder, [a, upper])).toEqual([
      inFolder('A.wasm-profile'),
      inFolder(`a-${a.sha256.slice(0, 8)}.wasm-profile`),
    ]);
  });

  test.each(['../up', '/etc/passwd', 'C:\\x', 'a\nb\0', '..', '', 'a?*<>|"'])(
    'stays in the folder: %j',
    async (name) => {
      const odd = profileOf(name, [entry(1)]);
      const [file] = await writeProfiles(folder, [odd]);
      expect(path.dirname(file ?? '')).toBe(folder);
      expect(path.basename(file ?? '')).toMatch(/^[^\p{Cc}<>:"/\\|?*]+\.wasm-profile$/u);
      expect(readdirSync(path.dirname(folder))).toEqual(['profiles']);
      expect(await readProfiles(folder)).toEqual([odd]);
    },
  );

  test('replaces the profile of another build, and a damaged file', async () => {
    await writeProfiles(folder, [a]);
    await writeProfiles(folder, [otherA]);
    expect(await readProfiles(folder)).toEqual([otherA]);
    put('a.wasm-profile', 'damaged');
    await writeProfiles(folder, [a]);
    expect(await readProfiles(folder)).toEqual([a]);
    await writeProfiles(folder, [{ ...a, executed: [entry(2)] }]);
    expect(await readProfiles(folder)).toEqual([{ ...a, executed: [entry(2)] }]);
    expect(list()).toEqual(['a.wasm-profile']);
  });

  test('does not write a file if the same functions were executed', async () => {
    await writeProfiles(folder, [a]);
    const text = read('a.wasm-profile').replaceAll('\n', '\r\n');
    const file = put('a.wasm-profile', text);
    utimesSync(file, 1, 1);
    const again = { ...a, executed: a.executed.map((known) => ({ ...known, optimised: !known.optimised })) };
    expect(await writeProfiles(folder, [again])).toEqual([file]);
    expect(await writeProfiles(folder, [a], { merge: true })).toEqual([file]);
    expect(read('a.wasm-profile')).toBe(text);
    expect(statSync(file).mtimeMs).toBe(1000);
  });

  test('changes only the lines of added and removed functions', async () => {
    await writeProfiles(folder, [a]);
    const next = { ...a, executed: [entry(1, { optimised: true }), entry(3), entry(4, { optimised: true })] };
    await writeProfiles(folder, [next]);
    expect(await readProfiles(folder)).toEqual([
      { ...a, executed: [...a.executed, entry(4, { optimised: true })] },
    ]);
  });

  test('leaves no other files behind', async () => {
    await Promise.all([writeProfiles(folder, [a]), writeProfiles(folder, [a]), writeProfiles(folder, [a])]);
    expect(list()).toEqual(['a.wasm-profile']);
  });

  test('does nothing without profiles', async () => {
    expect(await writeProfiles(folder, [])).toEqual([]);
    expect(() => list()).toThrow('ENOENT');
  });

  test('fails if the folder cannot be created', async () => {
    const file = put('file', '');
    await expect(writeProfiles(file, [a])).rejects.toMatchObject({ code: 'UNREADABLE_FILE' });
    await expect(writeProfiles(path.join(file, 'x'), [a])).rejects.toMatchObject({ code: 'UNREADABLE_FILE' });
    await expect(writeProfileFile(path.join(file, 'x'), [a])).rejects.toMatchObject({
      code: 'UNWRITABLE_FILE',
      message: expect.stringMatching(/x: cannot be written: /),
    });
  });
});

describe('merging into existing files', () => {
  const more = { ...a, executed: [entry(1, { optimised: true }), entry(9)] };

  test('keeps existing functions', async () => {
    await writeProfiles(folder, [a, b]);
    expect(await writeProfiles(folder, [more], { merge: true })).toEqual([inFolder('a.wasm-profile')]);
    expect(await readProfiles(folder)).toEqual(mergeProfiles([a, more, b]));
  });

  test('keeps a module that has the same name', async () => {
    await writeProfiles(folder, [a]);
    expect(await writeProfiles(folder, [otherA], { merge: true })).toEqual([inFolder(otherFile)]);
    expect(await readProfiles(folder)).toEqual(mergeProfiles([a, otherA]));
  });

  test('keeps the modules of a file that has several', async () => {
    put('a.wasm-profile', formatProfiles([a, otherA, b]));
    const added = { ...otherA, executed: [entry(8)] };
    expect(await writeProfiles(folder, [more, added], { merge: true })).toEqual([inFolder('a.wasm-profile')]);
    expect(await readProfiles(folder)).toEqual(mergeProfiles([a, more, otherA, added, b]));
  });

  test('creates missing files', async () => {
    await writeProfiles(folder, [a], { merge: true });
    expect(await readProfiles(folder)).toEqual([a]);
  });

  test('fails for a damaged file and does not change it', async () => {
    put('a.wasm-profile', 'damaged');
    await expect(writeProfiles(folder, [a, b], { merge: true })).rejects.toMatchObject({
      code: 'INVALID_PROFILE',
      message: expect.stringMatching(/a\.wasm-profile:1: /),
    });
    expect(list()).toEqual(['a.wasm-profile']);
    expect(read('a.wasm-profile')).toBe('damaged');
  });
});

test('one file can have the profiles of all modules', async () => {
  mkdirSync(folder, { recursive: true });
  const file = inFolder('all.wasm-profile');
  expect(await writeProfileFile(file, [b, otherA, a])).toBe(file);
  expect(await readProfiles(file)).toEqual(mergeProfiles([a, b, otherA]));
});
