/** Finds and replaces objects in messages of any size and shape: everything that a structured clone would copy. */
import { describe, expect, test } from 'vitest';
import { findIn, replaceIn } from '../../src/runtime/shared/message.ts';

class Wanted {
  readonly kind = 'wanted';
}

const find = (message: unknown) => findIn(message, (value) => value instanceof Wanted);
const replaceAll = (message: unknown) =>
  replaceIn(message, new Map(find(message).map((each) => [each, 'it'])));

test('returns the same message if it has no wanted object', () => {
  const message = { list: [1, { two: 2 }], map: new Map([['a', new Set([1])]]) };
  expect(find(message)).toEqual([]);
  expect(replaceIn(message, new Map([[new Wanted(), 1]]))).toBe(message);
});

test('finds objects in everything that a clone copies, and keeps all other objects', () => {
  const wanted = new Wanted();
  const other = { is: 'irrelevant' };
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

test('preserves shared and circular references', () => {
  const shared: Record<string, unknown> = { wanted: new Wanted() };
  shared['self'] = shared;
  const [first, second] = replaceAll([shared, shared]) as (typeof shared)[];
  expect(first).toBe(second);
  expect(first?.['self']).toBe(first);
  expect(first?.['wanted']).toBe('it');
});

test('preserves the length and the holes of an array', () => {
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
])('ignores properties that a clone does not copy: those of %s', (_, holder) => {
  expect(find([holder])).toEqual([]);
});

test('calls no getter', () => {
  const message = {
    get lazy() {
      throw new Error('called');
    },
    hidden: Object.defineProperty({}, 'wanted', { value: new Wanted(), enumerable: false }),
  };
  expect(find(message)).toEqual([]);
});

describe('finds and replaces objects', () => {
  test('among very many values', () => {
    const many = Array.from<unknown>({ length: 1_000_000 }).fill(1);
    const message = { many, map: new Map(many.map((_, index) => [index, index])), set: new Set(many.keys()) };
    expect(find(message)).toEqual([]);
    many[999_999] = new Wanted();
    expect((replaceAll(message) as typeof message).many[999_999]).toBe('it');
  });

  test('at a very deep level', () => {
    let message: { next: unknown } = { next: new Wanted() };
    for (let depth = 0; depth < 100_000; depth++) message = { next: message };
    let replaced = replaceAll(message);
    while (typeof replaced === 'object') replaced = (replaced as typeof message).next;
    expect(replaced).toBe('it');
  });

  test('in very many places of one message', () => {
    const wanted = new Wanted();
    const message = Array.from({ length: 100_000 }, () => ({ wanted }));
    expect(replaceAll(message)).toEqual(Array.from({ length: 100_000 }, () => ({ wanted: 'it' })));
  });
});
