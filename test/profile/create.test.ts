import { describe, expect, test } from 'vitest';
import { createProfile } from '../../src/profile/create.ts';
import { formatProfiles, parseProfiles } from '../../src/profile/profile-text.ts';
import { readModule } from '../../src/wasm/binary/module.ts';
import { stripCustomSections } from '../../src/wasm/binary/strip.ts';
import { custom, name, readPackage, section } from '../wasm/support.ts';
import { build, entry, profileOfAll, sha256 } from './support.ts';

const wire = build({
  one: 'i32.const 1',
  two: '(call $one (i32.const 2))',
  three: 'local.get 0',
});

describe('a profile', () => {
  test('has the executed functions, in ascending order, with names and bodies', () => {
    const { executed, ...rest } = createProfile('m', wire, [
      { index: 4, optimised: false },
      { index: 2, optimised: true },
    ]);
    expect(rest).toEqual({ name: 'm', sha256: expect.stringMatching(/^[0-9a-f]{64}$/), functions: 3 });
    expect(executed).toEqual([
      { index: 2, name: 'one', body: expect.any(String), optimised: true },
      { index: 4, name: 'three', body: expect.any(String), optimised: false },
    ]);
    // No locals, `local.get 0`, `end`.
    expect(executed[1]?.body).toBe(sha256('\x00\x20\x00\x0b').slice(0, 16));
  });

  test('has a function once, optimised if any duplicate is optimised', () => {
    const executed = [false, true, false].map((optimised) => ({ index: 3, optimised }));
    expect(createProfile('m', wire, executed).executed).toEqual([
      { index: 3, name: 'two', body: expect.any(String), optimised: true },
    ]);
  });

  test('of a stripped copy is the same except for the names', () => {
    const [named, bare] = [wire, stripCustomSections(wire, 'all')].map((copy) => profileOfAll('m', copy));
    expect(bare?.sha256).toBe(named?.sha256);
    expect(bare?.executed).toEqual(named?.executed.map((known) => ({ ...known, name: undefined })));
  });

  test('may be empty', () => {
    expect(createProfile('m', wire, []).executed).toEqual([]);
  });

  test('keeps unusual module names in its text', () => {
    const odd = 'a b\n"\u0000\\é';
    const encoded = name(odd);
    const bare = stripCustomSections(wire, 'all');
    const names = custom('name', ...section(1, 1, 3, ...encoded));
    const profile = createProfile('m', Uint8Array.from([...bare, ...names]), [
      { index: 3, optimised: false },
    ]);
    expect(profile.executed[0]?.name).toBe(odd);
    expect(parseProfiles(formatProfiles([profile]), 'm')).toEqual([profile]);
  });

  test.each(['@swc/wasm-web/wasm_bg.wasm', 'sql.js/dist/sql-wasm.wasm'])(
    'can have all functions of %s',
    async (path) => {
      const bytes = await readPackage(path);
      const profile = profileOfAll('large', bytes);
      expect(profile.executed).toHaveLength(readModule(bytes).functions);
      expect(parseProfiles(formatProfiles([profile]), 'large')).toEqual([profile]);
    },
  );
});

test.each([0, 1, 5, -1, 1.5, Number.NaN])(
  'createProfile rejects index %d, which no declared function has',
  (index) => {
    expect(() => createProfile('m', wire, [entry(3), entry(index)])).toThrow(
      expect.objectContaining({
        code: 'INVALID_PROFILE',
        message: expect.stringMatching(
          /^m: expected indices of the 3 functions that it declares, from 2; found .*wasm-precompile train/,
        ),
      }),
    );
  },
);

test('createProfile rejects a damaged module', () => {
  expect(() => createProfile('m', wire.subarray(0, 40), [])).toThrow(
    expect.objectContaining({ code: 'INVALID_WASM' }),
  );
});
