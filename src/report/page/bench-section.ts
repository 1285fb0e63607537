/** The benchmark: each module in each mode on each Node. */
import { formatBytes } from '../../common/format-bytes.ts';
import {
  BENCH_MODES,
  type BenchCase,
  type BenchMode,
  type BenchModule,
  type BenchResult,
  type BenchSample,
} from '../report-data.ts';
import { median, pairRatios, quartiles } from '../statistics.ts';
import { type Bar, barChart, type BarGroups, type BarSeries, drawBars, type NoBar } from './bars.ts';
import { type Cell, details, element, paragraph, type Row, table } from './dom.ts';
import { formatMilliseconds, formatRatio, formatRatios } from './format-numbers.ts';
import { type Metric, type Metrics, selectMetric } from './metric.ts';
import { colourOf, modeLegend } from './modes.ts';
import { card, cards, notes, section, type Section } from './section.ts';

const METRICS: Metrics<BenchSample> = [
  { label: 'total, until the first result', value: ({ total }) => total, format: formatMilliseconds },
  { label: 'load', value: ({ load }) => load, format: formatMilliseconds },
  { label: 'first call', value: ({ call }) => call, format: formatMilliseconds },
  { label: 'main thread blocked', value: ({ blocked }) => blocked, format: formatMilliseconds },
  { label: 'peak memory', value: ({ peakMemory }) => peakMemory, format: formatBytes },
];

export function benchSection({ cases, modules, rounds, missing }: BenchResult): Section | undefined {
  if (cases.length === 0 && missing.length === 0) return undefined;
  const names = [...new Set(cases.map(({ module }) => module))];
  const charts = names.map((name) => {
    const own = cases.filter(({ module }) => module === name);
    const chart = barChart(groupsOf(name, own, METRICS[0]));
    const about = modules.find((module) => module.name === name);
    return { name, own, chart, element: card(name, about ? describeModule(about) : '', chart.element) };
  });
  const numbers = element('div', {}, casesTable(cases, METRICS[0]));
  const choice = selectMetric(METRICS, (metric) => {
    for (const { name, own, chart } of charts) chart.draw(drawBars(groupsOf(name, own, metric)));
    numbers.replaceChildren(casesTable(cases, metric));
  });
  return section(
    'bench',
    'Benchmark',
    paragraph(
      `Medians of ${rounds} rounds of fresh processes; whiskers show minimum and maximum. ×: speedup over the baseline, median of ` +
        'the ratios within rounds. Each module has its own scale.',
    ),
    element('div', { class: 'controls' }, choice),
    modeLegend(),
    cards(...charts.map((each) => each.element)),
    notes(missing),
    details('The numbers as a table', numbers),
  );
}

function describeModule({ toolchain, note, wasmSize }: BenchModule): string {
  return [toolchain, note, formatBytes(wasmSize)].filter((text) => text !== '').join(' · ');
}

function groupsOf(name: string, cases: readonly BenchCase[], metric: Metric<BenchSample>): BarGroups {
  return {
    label: `${name}, ${metric.label}: ${cases.map((each) => summarize(each, metric)).join('; ')}`,
    categories: cases.map(({ node }) => `Node ${node.split('.', 1)[0]}`),
    series: BENCH_MODES.map((mode): BarSeries => ({
      name: mode,
      colour: colourOf(mode),
      bars: cases.map((each) => barOf(each, mode, metric)),
    })),
    format: metric.format,
  };
}

function summarize(each: BenchCase, metric: Metric<BenchSample>): string {
  const modes = BENCH_MODES.map((mode) => {
    const values = valuesOf(each, mode, metric);
    return `${mode} ${values ? metric.format(median(values)) : 'no result'}`;
  });
  return `Node ${each.node}: ${modes.join(', ')}`;
}

/** Undefined without a result. */
function valuesOf({ modes }: BenchCase, mode: BenchMode, metric: Metric<BenchSample>): number[] | undefined {
  const result = modes[mode];
  return result.missing === undefined ? result.samples.map(metric.value) : undefined;
}

function barOf(each: BenchCase, mode: BenchMode, metric: Metric<BenchSample>): Bar | NoBar {
  const result = each.modes[mode];
  if (result.missing !== undefined) return { missing: result.missing };
  const values = result.samples.map(metric.value);
  const middle = metric.format(median(values));
  const baseline = mode === 'baseline' ? undefined : valuesOf(each, 'baseline', metric);
  const ratios = baseline && pairRatios(baseline, values);
  const [least, greatest] = [Math.min(...values), Math.max(...values)];
  return {
    to: median(values),
    spread: [least, greatest],
    label: ratios ? `${middle} · ${formatRatio(ratios.median)}` : middle,
    more: [
      `from ${metric.format(least)} to ${metric.format(greatest)}, half of the samples between ` +
        quartiles(values).map(metric.format).join(' and '),
      ...(ratios ? [`baseline / ${mode}: ${formatRatios(ratios)}`] : []),
      result.loaded,
    ],
  };
}

function casesTable(cases: readonly BenchCase[], metric: Metric<BenchSample>): HTMLElement {
  return table(
    `Benchmark: ${metric.label}`,
    ['Module', 'Node', 'Mode', 'Loaded', 'Median#', 'Min–max#', 'Quartiles#', 'Speedup#'],
    cases.flatMap((each) =>
      BENCH_MODES.map((mode, index): Row => {
        const head: Cell[] =
          index === 0
            ? [
                { content: each.module, rows: BENCH_MODES.length, head: true },
                { content: each.node, rows: BENCH_MODES.length },
              ]
            : [];
        return [...head, mode, ...resultCells(each, mode, metric)];
      }),
    ),
  );
}

function resultCells(each: BenchCase, mode: BenchMode, metric: Metric<BenchSample>): Row {
  const result = each.modes[mode];
  if (result.missing !== undefined) {
    return [{ content: `no result: ${result.missing}`, missing: true }, '–', '–', '–', '–'];
  }
  const values = result.samples.map(metric.value);
  const baseline = mode === 'baseline' ? undefined : valuesOf(each, 'baseline', metric);
  return [
    result.loaded,
    metric.format(median(values)),
    `${metric.format(Math.min(...values))} – ${metric.format(Math.max(...values))}`,
    quartiles(values).map(metric.format).join(' – '),
    baseline ? formatRatios(pairRatios(baseline, values)) : '–',
  ];
}
