/** Formats numbers for the page. */
import type { Ratio } from '../statistics.ts';

/** `0.006`, `0.12`, `3.4`, `12.3`, `490`: two or three digits. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  const digits = size === 0 || size >= 100 ? 0 : size >= 1 ? 1 : size >= 0.1 ? 2 : 3;
  return value.toFixed(digits);
}

export function formatMilliseconds(value: number): string {
  return `${formatNumber(value)} ms`;
}

export function formatSeconds(value: number): string {
  return `${formatNumber(value)} s`;
}

/** Removes trailing zeros, for the round numbers of an axis: `20 ms` for `20.0 ms`, `0.2 s` for `0.20 s`. */
export function trimZeros(text: string): string {
  return text.replace(/(\.\d*?)0+(?= |$)/, '$1').replace(/\.(?= |$)/, '');
}

/** `3.4×`. */
export function formatRatio(value: number): string {
  return Number.isFinite(value) ? `${value.toFixed(value < 10 ? 1 : 0)}×` : '–';
}

/** `3.4× (2.9–3.8)`. */
export function formatRatios({ median, min, max }: Ratio): string {
  if (!Number.isFinite(median)) return '–';
  return `${formatRatio(median)} (${formatRatio(min).slice(0, -1)}–${formatRatio(max).slice(0, -1)})`;
}

export function formatCount(value: number): string {
  return value.toLocaleString('en-US');
}

/** Shortens an engine key, which also contains CPU features and flags: `V8 13.6.233.17-node.53, linux x64`. */
export function formatEngine(key: string): string {
  const [, version, platform, architecture] = /^v8-(.+)-([^-]+)-([^-]+)-[^-]+-[^-]+$/.exec(key) ?? [];
  return version === undefined ? key : `V8 ${version}, ${platform} ${architecture}`;
}
