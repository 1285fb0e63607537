/** Formats cases as a table: medians, and ratios within rounds. */
import { formatTable } from '../../src/cli/format-table.ts';
import {
  BENCH_MODES,
  type BenchCase,
  type BenchMode,
  type BenchSample,
  type BenchSamples,
} from '../../src/report/report-data.ts';
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

/** Modes that are compared with the baseline. */
const COMPARED = ['precompiled', 'unsplit', 'profile'] as const;

const LEGEND = `Milliseconds, and peak resident memory of the process; medians of fresh processes. Ratios: speedup over the baseline,
median of the rounds (minimum to maximum); above 1, the plugin is better.
baseline     the same program without the plugin
precompiled  native code for all functions
unsplit      native code for the functions that the training run of the build executed
profile      the same, and the module is split if that saves enough: a startup loads the primary
warm         the limit: in a process that has loaded and run the module before; its loading does not count
load         from just before the file is opened until the module is available (with ?init: its instance)
instantiate  until it can be called (wasm-bindgen, baseline: mostly Node loading fetch, which the package's code refers to)
first call   the first real work: a query, a rendered picture, a transformed file
total        all three steps
blocked      the part of the total in which the main thread was busy`;

export function formatCases(cases: readonly BenchCase[]): string {
  const head = [
    'module',
    'Node',
    'step',
    ...BENCH_MODES,
    ...COMPARED.flatMap((mode) => [`baseline : ${mode}`, '(min–max)']),
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
  const [baseline, other] = [modes.baseline, modes[mode]];
  if (baseline.missing !== undefined || other.missing !== undefined) return ['', ''];
  return formatSpread(pairRatios(baseline.samples.map(value), other.samples.map(value)));
}

/** Lists how the plugin loaded the modules. Most modules are loaded in the same way. */
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

/** Lists results that are missing in the table, with the reason. */
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
