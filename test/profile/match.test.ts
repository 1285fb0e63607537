import { describe, expect, test } from 'vitest';
import { createProfile } from '../../src/profile/create.ts';
import { findProfile, isForeign, matchProfile } from '../../src/profile/match.ts';
import { readFunctionBodies } from '../../src/wasm/binary/code.ts';
import { hashFunctionBody } from '../../src/wasm/binary/hash.ts';
import { readModule } from '../../src/wasm/binary/module.ts';
import { SectionId } from '../../src/wasm/binary/sections.ts';
import { stripCustomSections } from '../../src/wasm/binary/strip.ts';
import { engine, readPackage } from '../wasm/support.ts';
import { build, entry, profileOf, profileOfAll, profileOfNames } from './support.ts';

const BODIES = {
  leaf: '(i32.mul (local.get 0) (i32.const 17))',
  caller: '(call $leaf (i32.const 4))',
  other: '(i32.add (local.get 0) (i32.const 99))',
  cold: '(i32.sub (local.get 0) (i32.const 5))',
  last: '(i32.xor (call $caller (local.get 0)) (i32.const 3))',
};

const EXECUTED = ['leaf', 'caller', 'last'];
const base = build(BODIES);
const profile = profileOfNames(base, EXECUTED);

const strip = (wire: Uint8Array) => stripCustomSections(wire, 'all');

/** A unique body. */
const bodyOf = (value: number) => `(i32.mul (local.get 0) (i32.const ${value}))`;

/** The entries of a profile by function name. */
function kept(wire: Uint8Array, of = profile) {
  const { functions, ...counts } = matchProfile(of, wire);
  expect(counts.matched).toBe(functions.size);
  const names = readModule(wire).functionNames();
  return { names: [...functions.keys()].map((index) => names.get(index)).toSorted(), ...counts };
}

const { leaf, caller, cold, last } = BODIES;

/** The module with other functions before, between or instead of its own. */
const changed = (entries: [string, string][]): Uint8Array => build(Object.fromEntries(entries));

describe('the recorded module', () => {
  test('is matched by index', () => {
    const { functions, ...counts } = matchProfile(profile, base);
    expect(counts).toEqual({ matched: 3, total: 3, exact: true, wrong: 0, byName: 0, byBody: 0 });
    expect([...functions]).toEqual(profile.executed.map((known) => [known.index, known]));
    expect([...functions.keys()]).toEqual([2, 3, 6]);
  });

  test('is the same if it is stripped, or has other names', () => {
    const bare = strip(base);
    expect(matchProfile(profile, bare)).toEqual(matchProfile(profile, base));
    expect(matchProfile(profileOfNames(base, EXECUTED), bare).exact).toBe(true);
  });

  test('keeps which functions were optimised', () => {
    const hot = createProfile('m', base, [
      { index: 2, optimised: true },
      { index: 4, optimised: false },
    ]);
    const { functions } = matchProfile(hot, base);
    expect([...functions].map(([index, { optimised }]) => [index, optimised])).toEqual([
      [2, true],
      [4, false],
    ]);
  });

  test('does not match imported functions or functions that it does not have', () => {
    const wrong = { ...profile, executed: [0, 1, 7, 4_000_000_000].map((index) => entry(index)) };
    const match = matchProfile(wrong, base);
    expect(match).toEqual({
      functions: new Map(),
      matched: 0,
      total: 4,
      exact: false,
      wrong: 4,
      byName: 0,
      byBody: 0,
    });
    expect(isForeign(match)).toBe(true);
  });

  test('does not match a function with another body', () => {
    const [first, ...rest] = profile.executed;
    const wrong = { ...profile, executed: [entry(first?.index ?? 0), ...rest] };
    const { functions, ...counts } = matchProfile(wrong, base);
    expect([...functions.keys()]).toEqual([3, 6]);
    expect(counts).toEqual({ matched: 2, total: 3, exact: false, wrong: 1, byName: 0, byBody: 0 });
  });

  test('matches functions by name and by body if the profile has a wrong index', () => {
    const [leafEntry, callerEntry, lastEntry] = profile.executed;
    const wrong = {
      ...profile,
      executed: [
        { ...entry(4), name: leafEntry?.name },
        { ...entry(5), name: undefined, body: lastEntry?.body ?? '' },
        { ...entry(3), ...callerEntry },
      ],
    };
    const { functions, ...counts } = matchProfile(wrong, base);
    expect([...functions.keys()].toSorted()).toEqual([2, 3, 6]);
    expect(counts).toEqual({ matched: 3, total: 3, exact: false, wrong: 2, byName: 1, byBody: 1 });
  });
});

describe('another build', () => {
  test.each<[string, Uint8Array]>([
    ['a function is inserted', changed([['new', cold], ...Object.entries(BODIES)])],
    ['a function is removed', changed(Object.entries(BODIES).filter(([name]) => name !== 'cold'))],
    ['functions are in another order', changed(Object.entries(BODIES).toReversed())],
    ['functions are imported', build(BODIES, ['log', 'now', 'random'])],
    ['no function is imported', build(BODIES, [])],
    ['a body changes', build({ ...BODIES, leaf: 'i32.const 0' })],
    [
      'all bodies change',
      build(Object.fromEntries(Object.keys(BODIES).map((name) => [name, 'i32.const 7']))),
    ],
  ])('is matched by name where %s', (_, wire) => {
    expect(kept(wire)).toEqual({
      names: EXECUTED.toSorted(),
      matched: 3,
      total: 3,
      exact: false,
      wrong: 0,
      byName: 3,
      byBody: 0,
    });
  });

  test('does not match a function that was removed', () => {
    const wire = build({ leaf: leaf, caller: caller, other: 'i32.const 12' });
    expect(kept(wire)).toMatchObject({ names: ['caller', 'leaf'], matched: 2, total: 3, byName: 2 });
  });

  test('keeps the entry of the profile for a function with another index', () => {
    const wire = build({ first: 'i32.const 1', ...BODIES });
    const { functions } = matchProfile(profile, wire);
    expect([...functions].map(([index, known]) => [index, known.index, known.name])).toEqual([
      [3, 2, 'leaf'],
      [4, 3, 'caller'],
      [7, 6, 'last'],
    ]);
  });

  test('is matched by body if a function was renamed', () => {
    const wire = changed([
      ['renamed', leaf],
      ['caller', caller.replace('leaf', 'renamed')],
      ['other', BODIES.other],
      ['cold', 'i32.const 12'],
      ['last', last],
    ]);
    expect(kept(wire)).toMatchObject({ names: ['caller', 'last', 'renamed'], byName: 2, byBody: 1 });
  });

  test('is matched by body if one side or both have no names', () => {
    const wire = build({ ...BODIES, added: 'i32.const 1' });
    const bare = { ...profile, executed: profile.executed.map((known) => ({ ...known, name: undefined })) };
    for (const result of [
      matchProfile(profile, strip(wire)),
      matchProfile(bare, strip(wire)),
      matchProfile(bare, wire),
    ]) {
      const { functions, ...counts } = result;
      expect([...functions.keys()].toSorted()).toEqual([2, 3, 6]);
      expect(counts).toEqual({ matched: 3, total: 3, exact: false, wrong: 0, byName: 0, byBody: 3 });
    }
  });

  test('is matched by unchanged bodies if there are no names', () => {
    // Calls contain indices, so all bodies except that of the leaf change.
    const wire = strip(build({ first: 'i32.const 1', ...BODIES }));
    const { functions, byBody } = matchProfile(profile, wire);
    expect([...functions.keys()]).toEqual([3]);
    expect(byBody).toBe(1);
  });

  test('is not matched by a body that several functions have', () => {
    const wire = strip(build({ ...BODIES, twin: leaf }));
    expect([...matchProfile(profile, wire).functions.keys()].toSorted()).toEqual([3, 6]);
  });

  test('is not matched by a name that two functions of the profile have', () => {
    const twice = {
      ...profile,
      executed: profile.executed.map((known) => ({ ...known, name: 'leaf', body: '0'.repeat(16) })),
    };
    expect(kept(build({ ...BODIES, added: 'i32.const 1' }), twice)).toMatchObject({ matched: 0, total: 3 });
  });
});

describe('names that repeat', () => {
  test('are distinguished by bodies', () => {
    const before = repeated(['i32.const 1', 'i32.const 2', 'i32.const 3']);
    const after = repeated(['i32.const 9', 'i32.const 3', 'i32.const 1', 'i32.const 2']);
    const { functions, byName } = matchProfile(profileOfAll('m', before), after);
    expect([...functions].map(([index, known]) => [known.index, index]).toSorted()).toEqual([
      [2, 4],
      [3, 5],
      [4, 3],
    ]);
    expect(byName).toBe(3);
  });

  test('are distinguished by bodies, and the remaining one by its name', () => {
    const before = repeated(['i32.const 1', 'i32.const 2', 'i32.const 3']);
    const after = repeated(['i32.const 3', 'i32.const 22', 'i32.const 1']);
    const { functions, byName, byBody } = matchProfile(profileOfAll('m', before), after);
    expect([...functions].map(([index, known]) => [known.index, index]).toSorted()).toEqual([
      [2, 4],
      [3, 3],
      [4, 2],
    ]);
    expect([byName, byBody]).toEqual([3, 0]);
  });

  test('are compared unchanged, with bodies, before anything else', () => {
    const [one, two] = ['parse.llvm.1', 'parse.llvm.2'];
    const before = build({ [one]: bodyOf(1) });
    const after = named([
      [two, bodyOf(1)],
      [one, bodyOf(2)],
      [one, bodyOf(1)],
    ]);
    const { functions, byName } = matchProfile(profileOfAll('m', before), after);
    expect([...functions.keys()]).toEqual([4]);
    expect(byName).toBe(1);
  });

  test('match nothing if bodies differ, too', () => {
    const before = repeated(['i32.const 1', 'i32.const 2']);
    const after = repeated(['i32.const 11', 'i32.const 12']);
    expect(matchProfile(profileOfAll('m', before), after)).toMatchObject({ matched: 0, total: 2 });
  });
});

describe('names that change from build to build', () => {
  test.each([
    [
      "Rust's",
      '_ZN4core3ops8function6FnOnce9call_once17h0123456789abcdefE',
      '_ZN4core3ops8function6FnOnce9call_once17hfedcba9876543210E',
    ],
    ["Rust's, demangled", 'core::fmt::write::h0123456789abcdef', 'core::fmt::write::hfedcba9876543210'],
    ["Rust's, newer mangling", '_RNvNtCs9ltgdHTiPiY_4core3fmt5write', '_RNvNtCsaZ09zz_4core3fmt5write'],
    ['the newer one, demangled', 'foo[8d2f0c1b7a6e5f43]::bar', 'foo[b1e2d3c4a5968778]::bar'],
    ["LLVM's", 'parse.llvm.1234567890', 'parse.llvm.42'],
    ['both', '_ZN3foo3bar17h0123456789abcdefE.llvm.77', '_ZN3foo3bar17hfedcba9876543210E.llvm.8'],
    ['only in one build', 'parse.llvm.1234567890', 'parse'],
  ])('%s are compared without that', (_, before, after) => {
    const old = named([
      [before, bodyOf(1)],
      ['other', bodyOf(2)],
    ]);
    const wire = named([
      ['other', bodyOf(3)],
      [after, bodyOf(4)],
    ]);
    expect(kept(wire, profileOfNames(old, [before]))).toMatchObject({ names: [after], byName: 1, byBody: 0 });
  });

  test('are compared unchanged first', () => {
    const [one, two] = ['_ZN3foo3bar17h0000000000000001E', '_ZN3foo3bar17h0000000000000002E'];
    const wire = build({ [two]: bodyOf(5), [one]: bodyOf(6), new: bodyOf(7) });
    const old = profileOfNames(build({ [one]: bodyOf(1), [two]: bodyOf(2) }), [one]);
    expect(kept(wire, old)).toMatchObject({ names: [one], byName: 1 });
  });

  test('are distinguished by bodies if nothing else differs', () => {
    const [a, b, c, d] = [1, 2, 3, 4].map((digit) => `_ZN3foo3bar17h000000000000000${digit}E`);
    const old = profileOfNames(build({ [a ?? '']: bodyOf(1), [b ?? '']: bodyOf(2) }), [a ?? '', b ?? '']);
    const wire = build({ [c ?? '']: bodyOf(2), [d ?? '']: bodyOf(1), twin: bodyOf(1) });
    const { functions, byName } = matchProfile(old, wire);
    expect([...functions].map(([index, known]) => [known.index, index]).toSorted()).toEqual([
      [2, 3],
      [3, 2],
    ]);
    expect(byName).toBe(2);
  });

  test.each([
    ['parse.llvm', 'parse'],
    ['h0123456789abcdef', 'hfedcba9876543210'],
    ['a17h0123456789abcdeE', 'a17hfedcba987654321E'],
    ['useCsome_thing', 'useCssr_thing'],
    ['at[0]', 'at[1]'],
  ])('%s is not %s', (before, after) => {
    const wire = named([[after, bodyOf(3)]]);
    expect(kept(wire, profileOfNames(named([[before, bodyOf(1)]]), [before]))).toMatchObject({
      matched: 0,
    });
  });
});

describe('a real module', async () => {
  const path = 'sql.js/dist/sql-wasm.wasm';
  const wire = await readPackage(path);
  const whole = profileOfAll('sql-wasm', wire);

  test('matches its own profile', () => {
    expect(matchProfile(whole, wire)).toMatchObject({ exact: true, matched: 1968, total: 1968 });
  });

  test('with one more function is matched by all bodies that are unique', () => {
    const more = appendFunction(wire);
    expect(engine.validate(more)).toBe(true);
    expect(readModule(more).functions).toBe(1969);
    const match = matchProfile(whole, more);
    expect(match).toMatchObject({ exact: false, byName: 0, matched: uniqueBodies(wire) });
    expect(match.matched).toBeGreaterThan(1500);
    expect(isForeign(match)).toBe(false);
    expect([...match.functions].filter(([index, known]) => index !== known.index)).toEqual([]);
  });

  test.each(['@resvg/resvg-wasm/index_bg.wasm', 'esbuild-wasm/esbuild.wasm', '@swc/wasm-web/wasm_bg.wasm'])(
    'is foreign to %s',
    async (other) => {
      const match = matchProfile(whole, await readPackage(other));
      expect(match.exact).toBe(false);
      expect(isForeign(match)).toBe(true);
    },
  );
});

describe('bytes that are no module', () => {
  test.each([
    ['nothing', new Uint8Array()],
    ['half a module', base.subarray(0, base.length / 2)],
    ['a damaged code section', base.slice().fill(0xff, base.length / 2)],
    ['text', Buffer.from('hello')],
  ])('match nothing: %s', (_, bytes) => {
    const match = matchProfile(profile, bytes);
    expect(match).toEqual({
      functions: new Map(),
      matched: 0,
      total: 3,
      exact: false,
      wrong: 0,
      byName: 0,
      byBody: 0,
    });
    expect(isForeign(match)).toBe(true);
    expect(findProfile([profile], 'module', bytes)).toBeUndefined();
  });
});

describe('a foreign profile', () => {
  const match = { functions: new Map(), wrong: 0, byName: 0, byBody: 0 };
  test.each([
    [{ exact: true, matched: 0, total: 0 }, false],
    [{ exact: true, matched: 0, total: 50 }, false],
    [{ exact: false, matched: 0, total: 0 }, true],
    [{ exact: false, matched: 0, total: 1 }, true],
    [{ exact: false, matched: 1, total: 50 }, false],
    [{ exact: false, matched: 1, total: 51 }, true],
    [{ exact: false, matched: 20, total: 1000 }, false],
    [{ exact: false, matched: 19, total: 1000 }, true],
  ])('%j: %s', (counts, foreign) => {
    expect(isForeign({ ...match, ...counts })).toBe(foreign);
  });
});

describe('the profile of a module', () => {
  const next = build({ ...BODIES, leaf: 'i32.const 0' });
  const renamed = { ...profile, name: 'renamed' };
  const worse = { ...profileOfNames(build({ leaf: 'i32.const 1' }), ['leaf']), name: 'module' };

  test('is the one with its SHA-256, whatever its name', () => {
    const found = findProfile([worse, profileOf('module', []), renamed], 'module', strip(base));
    expect(found?.profile).toBe(renamed);
    expect(found?.match).toEqual(matchProfile(renamed, base));
  });

  test('is otherwise the one with its name that has the most matches', () => {
    for (const profiles of [
      [worse, profile, renamed],
      [renamed, profile, worse],
    ]) {
      expect(findProfile(profiles, 'module', next)?.profile).toBe(profile);
    }
  });

  test('may be foreign', () => {
    const foreign = profileOf('module', [entry(2, { name: 'elsewhere' })]);
    const found = findProfile([foreign], 'module', next);
    expect(found?.profile).toBe(foreign);
    expect(found && isForeign(found.match)).toBe(true);
  });

  test('is undefined if no profile has the name', () => {
    expect(findProfile([renamed], 'module', next)).toBeUndefined();
    expect(findProfile([], 'module', base)).toBeUndefined();
  });
});

/** The module with one more function at the end, with the type of the first function. */
function appendFunction(wire: Uint8Array): Uint8Array {
  const { sections } = readModule(wire);
  let from = 0;
  const chunks: Uint8Array[] = [];
  for (const { id, start, offset, size } of sections) {
    if (id !== SectionId.Function && id !== SectionId.Code) continue;
    const content = wire.subarray(offset, offset + size);
    const countSize = content.findIndex((byte) => byte < 0x80) + 1;
    const count = content
      .subarray(0, countSize)
      .reduce((sum, byte, at) => sum + (byte & 0x7f) * 128 ** at, 0);
    // `unreachable` ends a body of any type.
    const added = id === SectionId.Code ? [3, 0, 0x00, 0x0b] : [content[countSize] ?? 0];
    const again = [...leb128(count + 1), ...content.subarray(countSize), ...added];
    chunks.push(wire.subarray(from, start), Uint8Array.from([id, ...leb128(again.length), ...again]));
    from = offset + size;
  }
  chunks.push(wire.subarray(from));
  return Uint8Array.from(Buffer.concat(chunks));
}

function leb128(value: number): number[] {
  return value < 0x80 ? [value] : [(value % 0x80) + 0x80, ...leb128(Math.floor(value / 0x80))];
}

/** A module with a function for each of the given bodies. All functions have the same name. */
function repeated(bodies: string[]): Uint8Array {
  return named(bodies.map((text) => ['same', text]));
}

/** A module whose functions may have equal names, unlike those of the text format. */
function named(functions: [name: string, body: string][]): Uint8Array {
  const wire = build(Object.fromEntries(functions.map(([, text], number) => [`f${number}`, text])));
  const section = functions.flatMap(([name], number) => [2 + number, name.length, ...Buffer.from(name)]);
  const names = [1, ...leb128(section.length + 1), functions.length, ...section];
  const content = [4, ...Buffer.from('name'), ...names];
  return Uint8Array.from([...strip(wire), 0, ...leb128(content.length), ...content]);
}

/** How many functions have a unique body. */
function uniqueBodies(bytes: Uint8Array): number {
  const hashes = readFunctionBodies(bytes, readModule(bytes)).map((body) => hashFunctionBody(bytes, body));
  const counts = new Map<string, number>();
  for (const hash of hashes) counts.set(hash, (counts.get(hash) ?? 0) + 1);
  return hashes.filter((hash) => counts.get(hash) === 1).length;
}
