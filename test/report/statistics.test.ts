import { describe, expect, it } from 'vitest';
import { logSlope, median, pairRatios, quartiles } from '../../src/report/statistics.ts';

describe('median', () => {
  it.each([
    [[3], 3],
    [[3, 1], 2],
    [[10, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[], Number.NaN],
  ])('of %j is %d', (values, expected) => {
    expect(median(values)).toBe(expected);
  });

  it('does not change its arguments', () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });
});

describe('quartiles', () => {
  it.each([
    [[7], [7, 7]],
    [
      [1, 2, 3, 4, 5],
      [2, 4],
    ],
    [
      [4, 1, 3, 2],
      [1.75, 3.25],
    ],
    [[], [Number.NaN, Number.NaN]],
  ])('of %j are %j', (values, expected) => {
    expect(quartiles(values)).toEqual(expected);
  });
});

describe('pairRatios', () => {
  it('compares samples of the same round', () => {
    // The second round was slow for both.
    expect(pairRatios([10, 100, 12], [5, 50, 4])).toEqual({ median: 2, min: 2, max: 3 });
  });

  it('is not the ratio of the medians', () => {
    const [base, other] = [
      [1, 2, 9],
      [1, 1, 1],
    ];
    expect(pairRatios(base, other).median).toBe(2);
    expect(pairRatios([1, 9, 2], [1, 3, 4]).median).toBe(1);
    expect(median([1, 9, 2]) / median([1, 3, 4])).toBeCloseTo(2 / 3);
  });

  it('ignores samples without a counterpart', () => {
    expect(pairRatios([2, 4, 100], [1, 1])).toEqual({ median: 3, min: 2, max: 4 });
    expect(pairRatios([2], [1, 1])).toEqual({ median: 2, min: 2, max: 2 });
    expect(pairRatios([], [1])).toEqual({ median: Number.NaN, min: Number.NaN, max: Number.NaN });
  });
});

const power = (exponent: number) => [1, 10, 300, 5000].map((x) => ({ x, y: 7 * x ** exponent }));

describe('logSlope', () => {
  it.each([0, 0.5, 1, 2])('finds the exponent of a power law: %d', (exponent) => {
    expect(logSlope(power(exponent))).toBeCloseTo(exponent, 10);
  });

  it('fits points that are no power law', () => {
    expect(
      logSlope([
        { x: 1, y: 1 },
        { x: Math.E, y: Math.E ** 2 },
        { x: Math.E ** 2, y: Math.E ** 2 },
      ]),
    ).toBeCloseTo(1, 10);
  });

  it('skips points without a logarithm', () => {
    expect(logSlope([...power(1), { x: 5, y: 0 }, { x: -1, y: 3 }])).toBeCloseTo(1, 10);
  });

  it.each([[[]], [[{ x: 2, y: 3 }]], [power(1).map(({ y }) => ({ x: 4, y }))]])(
    'returns NaN for %j',
    (points) => {
      expect(logSlope(points)).toBeNaN();
    },
  );
});
