/** Cases as a table: medians, and ratios within rounds. */
import { formatTable } from '../../src/cli/format.ts';
import {
  BENCH_MODES,
  type BenchCase,
  type BenchMode,
  type BenchSample,
  type BenchSamples,
} from '../../src/report/data.ts';
import { median, pairRatios } from '../../src/report/statistics.ts';
import { formatMebibytes, formatSpread } from './figures.ts';

interface Row {
  label: string;
  value: (sample: BenchSample) => number;
}

const ROWS: readonly Row[] = [
  { label: 'load', value: ({ load }) => load },
  { label: 'instantiate', value: ({ instantiate }) => instantiate },
  { label: 'first call', value: ({ call }) => call },
  { label: 'total', value: ({ total }) => total },
  { label: 'blocked', value: ({ blocked }) => blocked },
  { label: 'memory (MiB)', value: ({ peakMemory }) => Number(formatMebibytes(peakMemory)) },
];

/** Ratios of these to plain, besides `warm` to `profile`. */
const COMPARED = ['precompiled', 'unsplit', 'profile'] as const;

const LEGEND = `Milliseconds, and peak resident memory of the process; medians of fresh processes. Ratios: plain to each of the
others, median of the rounds (least to greatest); above 1, the plugin is better.
plain        without the plugin
precompiled  native code for all functions
unsplit      native code for what the training run in the build executed
profile      the same, and the module is split where that pays: a start loads the part that it runs
warm         the limit: in a process that has loaded and run the module before; what loads it does not count
load         from before the file is touched until the module is there (with ?init: its instance)
instantiate  until it can be called (wasm-bindgen, plain: mostly Node loading fetch, which the glue code names)
first call   the first real work: a query, a rendered picture, a transformed file
total        all three: what a user waits for
blocked      of the total, how long the main thread was busy`;

export function formatCases(cases: readonly BenchCase[]): string {
  const head = [
    'module',
    'Node',
    'step',
    ...BENCH_MODES,
    ...COMPARED.flatMap((mode) => [`plain : ${mode}`, '(min–max)']),
  ];
  const lines = cases.flatMap((one) => {
    const { module, node, modes } = one;
    return ROWS.map(({ label, value }, index) => [
      ...(index === 0 ? [module, node] : ['', '']),
      label,
      ...BENCH_MODES.map((mode) => formatMedian(modes[mode], value)),
      ...COMPARED.flatMap((mode) => formatRatio(one, mode, value)),
    ]);
  });
  return [formatTable([head, ...lines]), '', LEGEND, ...describeLoads(cases), ...describeMissing(cases)].join(
    '\n',
  );
}

function formatMedian(measured: BenchSamples, value: Row['value']): string {
  return measured.missing === undefined ? median(measured.samples.map(value)).toFixed(1) : 'missing';
}

function formatRatio({ modes }: BenchCase, mode: BenchMode, value: Row['value']): string[] {
  const [plain, other] = [modes.plain, modes[mode]];
  if (plain.missing !== undefined || other.missing !== undefined) return ['', ''];
  return formatSpread(pairRatios(plain.samples.map(value), other.samples.map(value)));
}

/** How the plugin has loaded the modules; most are loaded alike. */
function describeLoads(cases: readonly BenchCase[]): string[] {
  const byLoad = new Map<string, string[]>();
  for (const { module, node, modes } of cases) {
    const loads = new Set(
      COMPARED.map((mode) => modes[mode]).flatMap((measured) =>
        measured.missing === undefined ? [measured.loaded] : [],
      ),
    );
    for (const load of loads) byLoad.set(load, [...(byLoad.get(load) ?? []), `${module} on ${node}`]);
  }
  return [...byLoad].map(([load, names]) => `Loaded ${load}: ${names.join('; ')}`);
}

/** What is not in the table, and why. */
export function describeMissing(cases: readonly BenchCase[]): string[] {
  const reasons = new Map<string, string[]>();
  for (const { module, node, modes } of cases) {
    for (const mode of BENCH_MODES) {
      const { missing } = modes[mode];
      if (missing === undefined) continue;
      const key = `${module} on Node ${node}: ${missing}`;
      reasons.set(key, [...(reasons.get(key) ?? []), mode]);
    }
  }
  return [...reasons].map(([reason, modes]) => `Missing, ${modes.join(', ')}: ${reason}`);
}
