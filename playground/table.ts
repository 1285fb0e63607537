/** What the playground prints: medians, ratios within rounds, and where they were measured. */
import { type BuildFacts, MODES } from './build.ts';
import { describeMachine as machine, today } from '../src/report/machine.ts';
import { median } from '../src/report/statistics.ts';
import type { Case, Measurement } from './measure.ts';

interface Row {
  label: string;
  value: (measurement: Measurement) => number;
}

const ROWS: readonly Row[] = [
  { label: 'load', value: ({ times }) => times.load },
  { label: 'instantiate', value: ({ times }) => times.instantiate },
  { label: 'first call', value: ({ times }) => times.call },
  { label: 'total', value: ({ times }) => times.total },
  { label: 'memory (MiB)', value: ({ peakMemory }) => peakMemory },
];

const LEGEND = `Milliseconds, and peak resident memory of the process; medians of fresh processes. Ratios: plain to each of the
others, median of the rounds (least to greatest); above 1, the plugin is better.
all          native code for all functions
trained      native code for what the training run in the build executed
load         from before the file is touched until the module is there (sql.js: its instance)
instantiate  until it can be called (wasm-bindgen: mostly Node loading fetch, which the glue code names)
first call   the first real work: a query, a rendered picture, a transformed file
total        all three: what a user waits for`;

const COMPILED = `compiled     this Node has no native code in the artifact: all builds do the same there`;

const HEAD = [
  'module',
  'Node',
  'loaded',
  'step',
  'plain',
  'all',
  'trained',
  'plain : all',
  '(min–max)',
  'plain : trained',
  '(min–max)',
];

export function formatTable(cases: readonly Case[]): string {
  const lines = cases.flatMap(({ module, node, loaded, rounds }) =>
    ROWS.map(({ label, value }, index) => [
      ...(index === 0 ? [module, node.version, loaded] : ['', '', '']),
      label,
      ...MODES.map((mode) => median(rounds.map((round) => value(round[mode]))).toFixed(1)),
      ...formatRatios(rounds.map((round) => value(round.plain) / value(round.precompiled))),
      ...formatRatios(rounds.map((round) => value(round.plain) / value(round.trained))),
    ]),
  );
  return align([HEAD, ...lines]);
}

export function formatLegend(cases: readonly Case[]): string {
  return cases.some(({ loaded }) => loaded === 'compiled') ? `${LEGEND}\n${COMPILED}` : LEGEND;
}

export function formatBuilds(builds: readonly BuildFacts[]): string {
  return builds
    .map(
      ({ mode, seconds, bytes }) =>
        `Build, ${mode}: ${(bytes / 2 ** 20).toFixed(1)} MiB in ${seconds.toFixed(1)} s.`,
    )
    .join('\n');
}

export function describeMachine(): string {
  return `${machine()}, ${today()}.`;
}

function formatRatios(ratios: readonly number[]): string[] {
  return [
    `${formatRatio(median(ratios))}×`,
    `(${formatRatio(Math.min(...ratios))}–${formatRatio(Math.max(...ratios))})`,
  ];
}

export function formatRatio(ratio: number): string {
  return ratio.toFixed(ratio < 10 ? 1 : 0);
}

const NUMBER_COLUMNS = [4, 5, 6, 7, 9];

function align(lines: readonly string[][]): string {
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          return NUMBER_COLUMNS.includes(column) ? cell.padStart(width) : cell.padEnd(width);
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
