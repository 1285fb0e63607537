import { describe, expect, test } from 'vitest';
import { diffProfiles, mergeProfiles } from '../../src/profile/merge.ts';
import { build, entry, profileOf, profileOfNames } from './support.ts';

describe('merging', () => {
  const first = profileOf('a', [entry(1, { optimised: true }), entry(5), entry(9)]);
  const second = profileOf('a', [entry(2), entry(5, { optimised: true }), entry(9)]);

  test('returns the functions of all runs, optimised if they are so in any', () => {
    const merged = [
      profileOf('a', [entry(1, { optimised: true }), entry(2), entry(5, { optimised: true }), entry(9)]),
    ];
    expect(mergeProfiles([first, second])).toEqual(merged);
    expect(mergeProfiles([second, first])).toEqual(merged);
    expect(mergeProfiles([...merged, first, second, first])).toEqual(merged);
  });

  test('does not change its arguments', () => {
    const copy = structuredClone([first, second]);
    mergeProfiles([first, second]);
    expect([first, second]).toEqual(copy);
  });

  test('keeps other modules and other builds, sorted', () => {
    const others = [profileOf('b', [entry(1)]), profileOf('a', [entry(1)], '2'), first, profileOf('A', [])];
    const merged = mergeProfiles(others);
    expect(merged.map(({ name }) => name)).toEqual(['A', 'a', 'a', 'b']);
    expect(merged).toEqual(mergeProfiles(others.toReversed()));
    expect(new Set(merged)).toEqual(new Set(others));
  });

  test('merges copies with several names under the first name', () => {
    const copy = { ...second, name: 'a-browser' };
    expect(mergeProfiles([copy, first])).toEqual(mergeProfiles([first, second]));
  });

  test('takes names from the copy that has them', () => {
    const named = profileOf('a', [entry(1, { name: 'one' })]);
    const bare = profileOf('a', [entry(1), entry(2)]);
    const merged = [profileOf('a', [entry(1, { name: 'one' }), entry(2)])];
    expect(mergeProfiles([named, bare])).toEqual(merged);
    expect(mergeProfiles([bare, named])).toEqual(merged);
  });

  test('returns nothing without profiles', () => {
    expect(mergeProfiles([])).toEqual([]);
  });
});

describe('the difference between profiles', () => {
  test('is by index for two runs with one module', () => {
    const before = profileOf('a', [entry(1, { name: 'x' }), entry(2), entry(3)]);
    const after = profileOf('a', [entry(2, { optimised: true }), entry(3), entry(4, { name: 'x' })]);
    expect(diffProfiles(before, after)).toEqual({
      removed: [entry(1, { name: 'x' })],
      added: [entry(4, { name: 'x' })],
      both: [
        { before: entry(2), after: entry(2, { optimised: true }) },
        { before: entry(3), after: entry(3) },
      ],
    });
  });

  test('is by names and bodies for two builds', () => {
    const before = build({ a: 'i32.const 1', b: 'i32.const 2', c: 'i32.const 3', d: 'i32.const 4' });
    const after = build({ new: 'i32.const 0', a: 'i32.const 1', b: 'i32.const 22', e: 'i32.const 3' });
    const { removed, added, both } = diffProfiles(
      profileOfNames(before, ['a', 'b', 'c', 'd']),
      profileOfNames(after, ['new', 'a', 'b', 'e']),
    );
    expect(removed.map(({ name }) => name)).toEqual(['d']);
    expect(added.map(({ name }) => name)).toEqual(['new']);
    expect(both.map((pair) => [pair.before.name, pair.after.name])).toEqual([
      ['a', 'a'],
      ['b', 'b'],
      ['c', 'e'],
    ]);
  });

  test('is empty for a profile and itself', () => {
    const profile = profileOf('a', [entry(1), entry(2)]);
    expect(diffProfiles(profile, profile)).toMatchObject({ removed: [], added: [] });
  });
});
