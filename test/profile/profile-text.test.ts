import { describe, expect, test } from 'vitest';
import { WasmPrecompileError } from '../../src/common/error.ts';
import { formatProfiles, parseProfiles } from '../../src/profile/profile-text.ts';
import type { Profile } from '../../src/profile/startup-profile.ts';
import { entry, profileOf, random, sha256 } from './support.ts';

const roundTrip = (profiles: Profile[]) => parseProfiles(formatProfiles(profiles), 'a.wasm-profile');

/** The error that parsing a text throws. */
function refusal(text: string): WasmPrecompileError {
  try {
    parseProfiles(text, 'dir/a.wasm-profile');
  } catch (error) {
    if (error instanceof WasmPrecompileError) return error;
    throw error;
  }
  throw new Error(`accepted: ${text}`);
}

const SAMPLE = [
  profileOf('a', [entry(3, { name: 'start' }), entry(5), entry(9, { name: 'x y', optimised: true })]),
  profileOf('b', []),
  profileOf('c', [entry(0)]),
];

test('the text has the format that profile-text.ts documents', () => {
  expect(formatProfiles(SAMPLE)).toBe(`wasm-profile 1
# The functions that a training run executed: index, start of the SHA-256 of the body,
# hot (optimised by the engine) or run, name. Made by \`wasm-precompile train\`: commit this file.

module "a"
sha256 ${sha256('a 1')}
functions 3 of 1000
3 ${entry(3).body} run "start"
5 ${entry(5).body} run
9 ${entry(9).body} hot "x y"

module "b"
sha256 ${sha256('b 1')}
functions 0 of 1000

module "c"
sha256 ${sha256('c 1')}
functions 1 of 1000
0 ${entry(0).body} run

end
`);
});

describe('a round trip', () => {
  test.each([
    ['no module', []],
    ['several modules', SAMPLE],
    ['no names', [profileOf('a', [entry(1), entry(2)])]],
    ['the largest index', [profileOf('a', [entry(2 ** 32 - 1)])]],
  ])('keeps %s', (_, profiles) => {
    expect(roundTrip(profiles)).toEqual(profiles);
  });

  test.each([
    '',
    ' ',
    'two words',
    ' around ',
    'std::map<int, char>::operator[](int&&)',
    '"quoted"',
    "'",
    'back\\slash',
    '\\u0041',
    'line\nfeed',
    'carriage\r\nreturn',
    'tab\t',
    '\0',
    '\u001b[31mred\u0007',
    '\u007f\u0085\u009f',
    '\u2028\u2029',
    '\u202eright to left',
    '\ufeff',
    '\u00a0\u3000',
    'naïve',
    '函数',
    '🧵\u{e0041}',
    '\ud800',
    '# comment',
    'end',
    'module "a"',
    '3 0123456789abcdef run',
    'x'.repeat(20_000),
  ])('keeps the name %j', (name) => {
    const profiles = [profileOf(name, [entry(7, { name }), entry(8)])];
    expect(roundTrip(profiles)).toEqual(profiles);
  });

  test.each([1, 2, 3, 4, 5])('keeps the profiles that a generator makes: seed %i', (seed) => {
    const next = random(seed);
    const upTo = (limit: number) => Math.floor(next() * limit);
    const character = () => {
      const range = [0x20, 0x7f, 0x100, 0x3000, 0x10000, 0x10ffff][upTo(6)] ?? 0;
      return String.fromCodePoint(upTo(range));
    };
    const name = () => Array.from({ length: upTo(12) }, character).join('');
    const profiles = Array.from({ length: 20 }, (_, number) => {
      const indices = new Set(Array.from({ length: upTo(60) }, () => 10 + upTo(900)));
      const executed = [...indices]
        .toSorted((a, b) => a - b)
        .map((index) => entry(index, { optimised: next() < 0.3, ...(next() < 0.7 && { name: name() }) }));
      return profileOf(`${String(number).padStart(2, '0')}${name()}`, executed);
    });
    expect(roundTrip(profiles)).toEqual(profiles);
  });

  test('writes no characters that a terminal or an editor does not show', () => {
    const text = formatProfiles([
      profileOf('\u202e', [entry(1, { name: '\u001b\u200b\u2028\u{e0041}\u00a0' })]),
    ]);
    expect(text).not.toMatch(/(?![ \n])[\p{Cc}\p{Cf}\p{Z}]/u);
    expect(text).toContain('run "\\u001b\\u200b\\u2028\\udb40\\udc41\\u00a0"\n');
  });

  test('keeps 2,000 functions, with a line for each', () => {
    const executed = Array.from({ length: 2000 }, (_, index) =>
      entry(index, { name: `_ZN4core3ops8function6FnOnce9call_once${index}E` }),
    );
    const profiles = [{ ...profileOf('large', executed), functions: 2000 }];
    expect(roundTrip(profiles)).toEqual(profiles);
    expect(formatProfiles(profiles).split('\n')).toHaveLength(2010);
  });
});

describe('formatProfiles returns the same text', () => {
  test('for profiles in any order', () => {
    expect(formatProfiles(SAMPLE.toReversed())).toBe(formatProfiles(SAMPLE));
    expect(formatProfiles(roundTrip(SAMPLE))).toBe(formatProfiles(SAMPLE));
  });

  test('if a module occurs twice', () => {
    const [first] = SAMPLE;
    expect(formatProfiles([...SAMPLE, ...(first ? [first] : [])])).toBe(formatProfiles(SAMPLE));
  });
});

describe('parseProfiles accepts', () => {
  const text = formatProfiles(SAMPLE);
  test.each([
    ['CRLF', text.replaceAll('\n', '\r\n')],
    ['a byte order mark', `\uFEFF${text}`],
    ['both', `\uFEFF${text.replaceAll('\n', '\r\n')}`],
    ['no line end at the end', text.trimEnd()],
    ['empty lines at the end', `${text}\n\n`],
    ['no empty lines', text.replaceAll(/\n+/g, '\n')],
    ['comments', text.replaceAll(/^(?=[3m])/gm, '# why\n')],
  ])('%s', (_, changed) => {
    expect(changed).not.toBe(text);
    expect(parseProfiles(changed, 'a')).toEqual(SAMPLE);
  });
});

describe('parseProfiles rejects', () => {
  const text = formatProfiles(SAMPLE);
  const lines = text.split('\n');

  test('every shorter text', () => {
    const whole = text.trimEnd().length;
    for (let length = 0; length < whole; length++) {
      const { code, message } = refusal(text.slice(0, length));
      expect(code).toBe('INVALID_PROFILE');
      expect(message).toMatch(
        /^dir\/a\.wasm-profile:\d+: expected .*, found .*\. Record it again with `wasm-precompile train`/,
      );
    }
  });

  test('every text without one of its lines', () => {
    const telling = lines.flatMap((line, number) => (line === '' || line.startsWith('#') ? [] : [number]));
    expect(telling).toHaveLength(15);
    for (const number of telling) refusal(lines.toSpliced(number, 1).join('\n'));
  });

  test('every text with a line twice', () => {
    for (const [number, line] of lines.entries()) {
      if (line !== '' && !line.startsWith('#')) refusal(lines.toSpliced(number, 0, line).join('\n'));
    }
  });

  const body = entry(3).body;
  test.each([
    ['an empty file', () => '', /:1: expected `wasm-profile 1`, found an empty file/],
    ['no profile', () => '<!doctype html>\n', /:1: expected `wasm-profile 1`, found "<!doctype html>"/],
    [
      'a later version',
      () => text.replace('profile 1', 'profile 2'),
      /:1: expected `wasm-profile 1`, found version 2, of another version of unplugin-wasm-precompile/,
    ],
    [
      'a cut file',
      () => text.replace(/\nend\n$/, ''),
      /expected `module` or `end` after 1 functions of "c", found the end of the file: it is cut off/,
    ],
    [
      'a cut function list',
      () => text.slice(0, text.indexOf('5 ')),
      /:9: expected function 2 of 3 .*found the end of the file/,
    ],
    [
      'a missing function',
      () => text.replace(/^5 .*\n/m, ''),
      /:11: expected function 3 of 3 .*found "module "?/,
    ],
    [
      'a function too many',
      () => text.replace(/^5 /m, '4 0123456789abcdef run\n$&'),
      /:11: expected `module` or `end` after 3 functions of "a", found "9 /,
    ],
    [
      'an index twice',
      () => text.replace(/^5 /m, '3 '),
      /:9: expected each index once, found 3 a second time/,
    ],
    [
      'an index out of order',
      () => text.replace(/^5 /m, '2 '),
      /:9: expected an index above 3, which precedes it, found 2/,
    ],
    [
      'an index that is too large',
      () => text.replace(/^9 /m, '1003 '),
      /:10: expected indices of 1000 functions: from 3 below 1003, found 1003/,
    ],
    [
      'an index above 32 bits',
      () => text.replace(/^9 /m, '4294967296 '),
      /:10: expected a number below 2³², found "4294967296"/,
    ],
    [
      'an index with leading zeros',
      () => text.replace(/^9 /m, '09 '),
      /:10: expected a number below 2³², found "09"/,
    ],
    ['a negative index', () => text.replace(/^9 /m, '-9 '), /:10: expected function 3 of 3/],
    [
      'more functions than the module has',
      () => text.replace('3 of 1000', '3 of 2'),
      /:7: expected at most 2 executed functions, found 3/,
    ],
    [
      'a short body hash',
      () => text.replace(body, body.slice(1)),
      /:8: expected function 1 of 3 \(index, 16 hexadecimal digits/,
    ],
    ['upper case', () => text.replace(body, body.toUpperCase()), /:8: expected function 1 of 3/],
    [
      'a short SHA-256',
      () => text.replace(/^(sha256 .*)./m, '$1'),
      /:6: expected `sha256` and 64 hexadecimal digits/,
    ],
    ['another tier', () => text.replace('run "start"', 'cold "start"'), /:8: expected function 1 of 3/],
    ['a name without quotes', () => text.replace('"start"', 'start'), /:8: expected function 1 of 3/],
    [
      'a name that is not JSON',
      () => text.replace('"start"', '"st\\art"'),
      /:8: expected a name as a JSON string/,
    ],
    ['two names', () => text.replace('"start"', '"start" "end"'), /:8: expected a name as a JSON string/],
    [
      'a module twice',
      () => text.replace(sha256('c 1'), sha256('a 1')),
      /expected each module once, found "c" a second time/,
    ],
    ['something after the end', () => `${text}module "d"\n`, /:22: expected nothing after `end`, found/],
    [
      'a merge conflict',
      () => text.replace(/^5 /m, '<<<<<<< HEAD\n5 '),
      /:9: expected .* found a merge conflict \(<<<<<<<\)\. Keep one side/,
    ],
    ['zeros', () => text.replace('run "start"', '\0\0\0 "start"'), /:8: .*\\u0000/],
  ])('%s', (_, damage, message) => {
    const damaged = damage();
    expect(damaged).not.toBe(text);
    const error = refusal(damaged);
    expect(error.code).toBe('INVALID_PROFILE');
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^dir\/a\.wasm-profile:\d+: /);
    expect(error.message).toContain('wasm-precompile train');
  });
});
