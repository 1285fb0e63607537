/** Statistics of benchmark and report: values that summarise samples, and their spread. */

/** Returns the median; NaN without values. */
export function median(values: readonly number[]): number {
  return quantile(sort(values), 0.5);
}

/** Returns the first and third quartile, interpolated between the nearest values; NaN without values. */
export function quartiles(values: readonly number[]): [low: number, high: number] {
  const sorted = sort(values);
  return [quantile(sorted, 0.25), quantile(sorted, 0.75)];
}

export interface Ratio {
  median: number;
  min: number;
  max: number;
}

/**
 * Returns the ratios of `base` to `other`, sample by sample. Samples with the same index were taken in the same
 * round, so a slowdown of a whole round cancels out. The median of these ratios is not the ratio of the
 * medians.
 *
 * @returns NaN without pairs
 */
export function pairRatios(base: readonly number[], other: readonly number[]): Ratio {
  const ratios = base.slice(0, other.length).map((value, index) => value / (other[index] ?? Number.NaN));
  if (ratios.length === 0) return { median: Number.NaN, min: Number.NaN, max: Number.NaN };
  return { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) };
}

/**
 * Returns the exponent `k` of the power law `y = c · x^k` that fits points best, by least squares of the
 * logarithms: 1 if y grows like x, 0 if it does not grow. Points without a logarithm are skipped.
 *
 * @returns NaN if the points have fewer than two different x values
 */
export function logSlope(points: readonly { x: number; y: number }[]): number {
  const logs = points
    .filter(({ x, y }) => x > 0 && y > 0)
    .map(({ x, y }) => ({ x: Math.log(x), y: Math.log(y) }));
  const centre = { x: mean(logs.map(({ x }) => x)), y: mean(logs.map(({ y }) => y)) };
  const spread = sum(logs.map(({ x }) => (x - centre.x) ** 2));
  return spread > 0 ? sum(logs.map(({ x, y }) => (x - centre.x) * (y - centre.y))) / spread : Number.NaN;
}

function sort(values: readonly number[]): number[] {
  return values.toSorted((a, b) => a - b);
}

function quantile(sorted: readonly number[], part: number): number {
  const position = (sorted.length - 1) * part;
  const low = sorted[Math.floor(position)] ?? Number.NaN;
  const high = sorted[Math.ceil(position)] ?? Number.NaN;
  return low + (high - low) * (position - Math.floor(position));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}
