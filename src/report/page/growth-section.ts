/** Growth of cost with the size of the module. */
import { formatBytes } from '../../common/format-bytes.ts';
import { BENCH_MODES, type BenchMode, type GrowthPoint } from '../report-data.ts';
import { logSlope } from '../statistics.ts';
import { createChart, type Drawing, tooltip, tooltipText } from './chart.ts';
import { details, element, paragraph, select, table } from './dom.ts';
import { formatMilliseconds, formatSeconds, trimZeros } from './format-numbers.ts';
import { type Metric, type Metrics, selectMetric } from './metric.ts';
import { colourOf } from './modes.ts';
import { section, type Section } from './section.ts';

const METRICS: Metrics<GrowthPoint> = [
  { label: 'load', value: ({ load }) => load, format: formatMilliseconds },
  { label: 'total, until the first result', value: ({ total }) => total, format: formatMilliseconds },
  { label: 'peak memory', value: ({ peakMemory }) => peakMemory, format: formatBytes },
  { label: 'build time', value: ({ buildSeconds }) => buildSeconds, format: formatSeconds },
  { label: 'file size', value: ({ fileSize }) => fileSize, format: formatBytes },
];

/** Symbols distinguish the modes for readers who cannot distinguish the colours. */
const SYMBOLS: Readonly<Record<BenchMode, string>> = {
  baseline: 'circle',
  precompiled: 'rect',
  unsplit: 'pin',
  profile: 'triangle',
  warm: 'diamond',
};

interface View {
  node: string;
  points: readonly GrowthPoint[];
  metric: Metric<GrowthPoint>;
}

export function growthSection(growth: readonly GrowthPoint[]): Section | undefined {
  const nodes = [...new Set(growth.map(({ node }) => node))];
  const [node] = nodes;
  if (node === undefined) return undefined;
  const pointsOf = (wanted: string) => growth.filter((point) => point.node === wanted);
  let view: View = { node, points: pointsOf(node), metric: METRICS[0] };
  const chart = createChart(draw(view));
  const numbers = element('div', {}, pointsTable(growth));
  const show = (change: Partial<View>) => {
    view = { ...view, ...change };
    chart.draw(draw(view));
  };
  return section(
    'growth',
    'Growth',
    paragraph(
      'Generated modules, from small to large. Both axes are logarithmic: a straight line is a power of the size, and its ' +
        'slope is the exponent. Slope 1: cost is proportional to size. Slope 0: cost does not grow.',
    ),
    element(
      'div',
      { class: 'controls' },
      selectMetric(METRICS, (metric) => show({ metric })),
      select(
        'in',
        nodes.map((each) => ({ label: `Node ${each}`, value: each })),
        (chosen) => show({ node: chosen, points: pointsOf(chosen) }),
      ),
    ),
    chart.element,
    details('The numbers as a table', numbers),
  );
}

interface Line {
  mode: BenchMode;
  /** Text of the legend, with the slope. */
  name: string;
  data: [x: number, y: number][];
}

function linesOf({ points, metric }: View): Line[] {
  return BENCH_MODES.flatMap((mode) => {
    const data = points
      .filter((point) => point.mode === mode && metric.value(point) > 0)
      .map((point): [number, number] => [point.wasmSize, metric.value(point)])
      .toSorted(([a], [b]) => a - b);
    if (data.length === 0) return [];
    const slope = logSlope(data.map(([x, y]) => ({ x, y })));
    return [{ mode, name: `${mode}, slope ${formatSlope(slope)}`, data }];
  });
}

function formatSlope(slope: number): string {
  return Number.isFinite(slope) ? slope.toFixed(2) : '–';
}

function draw(view: View): Drawing {
  const { node, metric } = view;
  const lines = linesOf(view);
  return {
    height: 400,
    label: `${metric.label} against the size of the module in Node ${node}: ${lines.map(({ name }) => name).join('; ')}`,
    option: (theme, width) => {
      const axis = {
        type: 'log',
        axisLine: { lineStyle: { color: theme.line } },
        splitLine: { lineStyle: { color: theme.line } },
      };
      return {
        grid: { left: 70, right: 24, top: width < 600 ? 66 : 40, bottom: 44 },
        legend: {
          top: 0,
          left: 0,
          itemGap: 16,
          textStyle: { color: theme.text },
          inactiveColor: theme.muted,
        },
        tooltip: tooltip(theme, (parameters) => {
          const { seriesName, value } = parameters as { seriesName: string; value: [number, number] };
          return tooltipText(seriesName, `${formatBytes(value[0])} of wasm: ${metric.format(value[1])}`);
        }),
        xAxis: {
          ...axis,
          min: 'dataMin',
          max: 'dataMax',
          name: 'size of the wasm module',
          nameLocation: 'middle',
          nameGap: 28,
          nameTextStyle: { color: theme.muted },
          axisLabel: {
            color: theme.muted,
            formatter: (value: number) => trimZeros(formatBytes(Math.round(value))),
            hideOverlap: true,
          },
        },
        yAxis: {
          ...axis,
          axisLabel: { color: theme.muted, formatter: (value: number) => trimZeros(metric.format(value)) },
        },
        series: lines.map(({ mode, name, data }) => ({
          type: 'line',
          name,
          data,
          symbol: SYMBOLS[mode],
          symbolSize: 9,
          lineStyle: { width: 2 },
          color: theme.colour(colourOf(mode)),
        })),
      };
    },
  };
}

function pointsTable(growth: readonly GrowthPoint[]): HTMLElement {
  return table(
    'Growth',
    ['Node', 'Mode', 'Wasm#', ...METRICS.map(({ label }) => `${label}#`)],
    growth.map((point) => [
      point.node,
      point.mode,
      formatBytes(point.wasmSize),
      ...METRICS.map(({ value, format }) => format(value(point))),
    ]),
  );
}
