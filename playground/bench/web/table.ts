/** The output of `npm run bench:web`. */
import { formatTable } from '../../../src/cli/format-table.ts';
import { formatBytes } from '../../../src/common/format-bytes.ts';
import { median, pairRatios } from '../../../src/report/statistics.ts';
import type { WebBenchResult, WebCase, WebOutcome } from './result.ts';

const LEGEND = `Milliseconds from the start of the navigation to the first result, of a page whose entry works for 300 ms first; medians
of visits by fresh processes. Ratio: to the page without the plugin, median of the rounds (minimum–maximum); below 1, the plugin is better.
blocked  the main thread was busy
bytes    on the wire, for the whole page`;

export function formatWebResult({ machine, date, command, browser, rounds, cases }: WebBenchResult): string {
  const head = [
    'module',
    'visit',
    'host',
    'network',
    'mode',
    'total',
    'ratio',
    '(min–max)',
    'blocked',
    'ratio',
    'bytes',
  ];
  const lines = cases.flatMap((one) =>
    one.modes.map(({ mode, outcome }, index) => [
      ...(index === 0 ? [one.module, one.visit, describeHost(one), one.network] : ['', '', '', '']),
      mode,
      ...(outcome.missing === undefined
        ? [
            median(outcome.totals).toFixed(0),
            ...formatRatio(one, outcome),
            median(outcome.blocked).toFixed(0),
            ratioTo(one, outcome, 'blocked').median.toFixed(2),
            formatBytes(outcome.bytes),
          ]
        : [`missing: ${outcome.missing}`]),
    ]),
  );
  return `${formatTable([head, ...lines])}\n\n${LEGEND}\n\nRounds: ${rounds}. ${browser}, ${machine}, ${date}. ${command}`;
}

export function describeHost({ visit, compressed }: WebCase): string {
  if (visit === 'cached') return '';
  return compressed ? 'brotli' : 'uncompressed';
}

/** Returns the ratio to the page without the plugin. */
export function ratioTo(
  { modes }: WebCase,
  outcome: Exclude<WebOutcome, { missing: string }>,
  of: 'totals' | 'blocked' = 'totals',
) {
  const base = modes.find(({ mode }) => mode === 'vite')?.outcome;
  return pairRatios(outcome[of], base && base.missing === undefined ? base[of] : []);
}

function formatRatio(one: WebCase, outcome: Exclude<WebOutcome, { missing: string }>): string[] {
  const { median: middle, min, max } = ratioTo(one, outcome);
  return [middle.toFixed(2), `(${min.toFixed(2)}–${max.toFixed(2)})`];
}
