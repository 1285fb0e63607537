/** Formats figures for tables. */
import type { Ratio } from '../../src/report/statistics.ts';

/** `3.4×`, `12×`. */
export function formatTimes(ratio: number): string {
  return `${formatRatio(ratio)}×`;
}

/** Returns the median, and minimum and maximum in parentheses. */
export function formatSpread({ median, min, max }: Ratio): [median: string, spread: string] {
  return [formatTimes(median), `(${formatRatio(min)}–${formatRatio(max)})`];
}

function formatRatio(ratio: number): string {
  return ratio.toFixed(ratio < 10 ? 1 : 0);
}

export function formatMebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}
