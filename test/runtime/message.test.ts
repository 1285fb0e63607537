/** What is found in messages and replaced in them: all that a clone would take along, whatever its size and shape. */
import { describe, expect, test } from 'vitest';
import { findIn, replaceIn } from '../../src/runtime/shared/message.ts';

class Wanted {
  readonly kind = 'wanted';
}

const find = (message: unknown) => findIn(message, (value) => value instanceof Wanted);
const replaceAll = (message: unknown) =>
  replaceIn(message, new Map(find(message).map((each) => [each, 'it'])));

test('what has none stays the same object', () => {
  const message = { list: [1, { two: 2 }], map: new Map([['a', new Set([1])]]) };
  expect(find(message)).toEqual([]);
  expect(replaceIn(message, new Map([[new Wanted(), 1]]))).toBe(message);
});

test('in all that a clone takes along, and what leads to none stays as it is', () => {
  const wanted = new Wanted();
  const other = { of: 'no interest' };
  const message = {
    other,
    list: [wanted, 1],
    map: new Map<unknown, unknown>([[wanted, { wanted }]]),
    set: new Set([wanted]),
  };
  expect(find(message)).toEqual([wanted]);
  const replaced = replaceAll(message) as typeof message;
  expect(replaced).toEqual({
    other,
    list: ['it', 1],
    map: new Map([['it', { wanted: 'it' }]]),
    set: new Set(['it']),
  });
  expect(replaced.other).toBe(other);
  expect(message.list[0]).toBe(wanted);
  expect(replaceAll(wanted)).toBe('it');
});

test('what is there twice, or holds itself, is so afterwards, too', () => {
  const shared: Record<string, unknown> = { wanted: new Wanted() };
  shared['self'] = shared;
  const [first, second] = replaceAll([shared, shared]) as (typeof shared)[];
  expect(first).toBe(second);
  expect(first?.['self']).toBe(first);
  expect(first?.['wanted']).toBe('it');
});

test('of an array, its length and what it does not have', () => {
  const message: unknown[] = [];
  message[3] = new Wanted();
  message.length = 6;
  const replaced = replaceAll(message) as unknown[];
  expect([replaced.length, 0 in replaced, replaced[3]]).toEqual([6, false, 'it']);
});

test.each([
  ['an error', Object.assign(new TypeError('an error'), { wanted: new Wanted() })],
  ['a date', Object.assign(new Date(0), { wanted: new Wanted() })],
  ['bytes', Object.assign(new Uint8Array(2), { wanted: new Wanted() })],
])('not what a clone leaves behind: %s', (_, holder) => {
  expect(find([holder])).toEqual([]);
});

test('no getter is asked to find any', () => {
  const message = {
    get lazy() {
      throw new Error('asked');
    },
    hidden: Object.defineProperty({}, 'wanted', { value: new Wanted(), enumerable: false }),
  };
  expect(find(message)).toEqual([]);
});

describe('of any size', () => {
  test('with very many values', () => {
    const many = Array.from<unknown>({ length: 1_000_000 }).fill(1);
    const message = { many, map: new Map(many.map((_, index) => [index, index])), set: new Set(many.keys()) };
    expect(find(message)).toEqual([]);
    many[999_999] = new Wanted();
    expect((replaceAll(message) as typeof message).many[999_999]).toBe('it');
  });

  test('very deep', () => {
    let message: { next: unknown } = { next: new Wanted() };
    for (let depth = 0; depth < 100_000; depth++) message = { next: message };
    let replaced = replaceAll(message);
    while (typeof replaced === 'object') replaced = (replaced as typeof message).next;
    expect(replaced).toBe('it');
  });

  test('with one object in very many places', () => {
    const wanted = new Wanted();
    const message = Array.from({ length: 100_000 }, () => ({ wanted }));
    expect(replaceAll(message)).toEqual(Array.from({ length: 100_000 }, () => ({ wanted: 'it' })));
  });
});
