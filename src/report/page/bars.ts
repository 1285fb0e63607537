/** Horizontal bar charts: a group of bars for each category, with whiskers, or floating bars in one row. */
import type { CustomSeriesRenderItemAPI, CustomSeriesRenderItemParams } from 'echarts';
import { createChart, type Chart, type Drawing, tooltip, tooltipText } from './chart.ts';
import { trimZeros } from './format-numbers.ts';
import type { Theme } from './theme.ts';

export interface Bar {
  /** Default: 0. */
  from?: number;
  to: number;
  /** Ends of the whisker. */
  spread?: readonly [low: number, high: number];
  /** Text beside the bar. */
  label: string;
  /** Lines of the tooltip. */
  more: readonly string[];
}

/** The reason why a bar is missing. */
export interface NoBar {
  missing: string;
}

export interface BarSeries {
  name: string;
  /** Name for {@link Theme.colour}. */
  colour: string;
  /** One for each category; undefined leaves the place empty. */
  bars: readonly (Bar | NoBar | undefined)[];
}

export interface BarGroups {
  label: string;
  categories: readonly string[];
  series: readonly BarSeries[];
  /** Draws all series in one row; each category has at most one bar. */
  overlay?: boolean;
  format: (value: number) => string;
  /** End of the axis, to give several charts the same scale. */
  maximum?: number;
}

const BAR = 14;
const GAP = 16;
const GAP_OF_ONE = 8;
const AXIS = 34;
const LABEL_SIZE = 11;

export function barChart(groups: BarGroups): Chart {
  return createChart(drawBars(groups));
}

export function drawBars(groups: BarGroups): Drawing {
  const { categories, series, overlay = false } = groups;
  const rows = overlay ? 1 : series.length;
  return {
    label: groups.label,
    height: categories.length * (rows * BAR + (rows === 1 ? GAP_OF_ONE : GAP)) + AXIS,
    option: (theme, width) => ({
      grid: { left: categoryWidth(categories, width), right: 16, top: 4, bottom: AXIS - 4 },
      tooltip: tooltip(theme, (parameters) => describe(groups, parameters)),
      xAxis: {
        type: 'value',
        max: groups.maximum ?? scaleEnd(groups, width),
        min: 0,
        splitNumber: width < 500 ? 3 : 5,
        axisLabel: {
          color: theme.muted,
          hideOverlap: true,
          showMaxLabel: false,
          formatter: (value: number) => (value === 0 ? '0' : trimZeros(groups.format(value))),
        },
        // The scale ends at the last label, which is not a round number.
        splitLine: { showMaxLine: false, lineStyle: { color: theme.line } },
        axisLine: { show: false },
      },
      yAxis: {
        type: 'category',
        inverse: true,
        data: [...categories],
        axisTick: { show: false },
        axisLine: { lineStyle: { color: theme.line } },
        axisLabel: {
          color: theme.text,
          width: categoryWidth(categories, width) - 12,
          overflow: 'truncate',
        },
      },
      series: series.map((one, index) => ({
        type: 'custom',
        name: one.name,
        clip: false,
        itemStyle: { color: theme.colour(one.colour) },
        encode: { x: 1, y: 0 },
        data: one.bars.flatMap((bar, category) =>
          bar ? [{ value: [category, 'missing' in bar ? 0 : bar.to] }] : [],
        ),
        renderItem: (_: CustomSeriesRenderItemParams, api: CustomSeriesRenderItemAPI) =>
          renderBar(theme, api, one, overlay ? 0 : index - (rows - 1) / 2),
      })),
    }),
  };
}

/** Width of the names beside the axis, in pixels. */
function categoryWidth(categories: readonly string[], width: number): number {
  const longest = Math.max(...categories.map((category) => category.length));
  return Math.min(longest * 6.8 + 18, width * 0.45);
}

/** Returns the end of the axis that leaves room for the labels. */
function scaleEnd({ series, categories }: BarGroups, width: number): number {
  const bars = series.flatMap(({ bars: all }) => all.filter((bar) => bar !== undefined && 'to' in bar));
  const end = Math.max(0, ...bars.map(({ to, spread }) => Math.max(to, spread?.[1] ?? 0)));
  const longest = Math.max(0, ...bars.map(({ label }) => label.length));
  const room = Math.max(width - categoryWidth(categories, width) - 16, 60);
  const labelShare = Math.min((longest * 6.2 + 14) / room, 0.6);
  return end > 0 ? end / (1 - labelShare) : 1;
}

function renderBar(theme: Theme, api: CustomSeriesRenderItemAPI, { bars, colour }: BarSeries, row: number) {
  const category = Number(api.value(0));
  const bar = bars[category];
  if (!bar) return undefined;
  const [zero = 0, middle = 0] = api.coord([0, category]);
  const y = middle + row * BAR;
  const text = (x: number, content: string, fill: string, italic = false) => ({
    type: 'text' as const,
    silent: true,
    style: {
      x,
      y,
      text: content,
      fill,
      fontSize: LABEL_SIZE,
      fontStyle: italic ? ('italic' as const) : ('normal' as const),
      verticalAlign: 'middle' as const,
      width: Math.max(api.getWidth() - x, 20),
      overflow: 'truncate' as const,
    },
  });
  if ('missing' in bar) return text(zero + 6, `no result: ${shorten(bar.missing)}`, theme.muted, true);
  const place = (value: number) => api.coord([value, category])[0] ?? 0;
  const left = place(bar.from ?? 0);
  const right = place(bar.to);
  const half = (BAR - 4) / 2;
  const line = (x1: number, y1: number, x2: number, y2: number) => ({
    type: 'line' as const,
    silent: true,
    shape: { x1, y1, x2, y2 },
    style: { stroke: theme.text, lineWidth: 1.2 },
  });
  const [low, high] = bar.spread ? bar.spread.map(place) : [];
  const whisker =
    low !== undefined && high !== undefined && high - low > 1
      ? [line(low, y, high, y), line(low, y - 3, low, y + 3), line(high, y - 3, high, y + 3)]
      : [];
  return {
    type: 'group' as const,
    children: [
      {
        type: 'rect' as const,
        shape: { x: left, y: y - half, width: Math.max(right - left, 1.5), height: half * 2, r: 2 },
        style: { fill: theme.colour(colour) },
      },
      ...whisker,
      text(Math.max(right, high ?? 0) + 6, bar.label, theme.text),
    ],
  };
}

/** Shortens a text of any length to fit beside a bar. */
export function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}

function describe({ categories, series }: BarGroups, parameters: unknown): HTMLElement | string {
  const { seriesIndex, value } = parameters as { seriesIndex: number; value: [category: number] };
  const one = series[seriesIndex];
  const bar = one?.bars[value[0]];
  if (!one || !bar) return '';
  const title = [categories[value[0]], one.name].filter((text) => text !== '').join(', ');
  return 'missing' in bar
    ? tooltipText(title, `no result: ${bar.missing}`)
    : tooltipText(title, bar.label, ...bar.more);
}
