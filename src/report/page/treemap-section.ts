/** Native code of an artifact by function: one tile for each function, proportional to its instructions. */
import { formatBytes } from '../../common/format-bytes.ts';
import type { ArtifactReport, NativeReport } from '../report-data.ts';
import { createChart, type Drawing, tooltip, tooltipText } from './chart.ts';
import { details, element, paragraph, select, table } from './dom.ts';
import { formatCount, formatEngine } from './format-numbers.ts';
import { section, type Section } from './section.ts';
import { mix, type Theme } from './theme.ts';

/** Maximum number of tiles. */
const TILES = 150;
const TILES_OF_NARROW = 60;
/** Minimum area of a tile with a label, in square pixels. */
const ROOM = 2600;
const HEIGHT = 420;
/** Number of functions in the table. */
const LISTED = 25;

interface View {
  artifact: ArtifactReport;
  native: NativeReport;
}

export function treemapSection(artifacts: readonly ArtifactReport[]): Section | undefined {
  const views = artifacts.flatMap((artifact) =>
    artifact.native.filter(({ largest }) => largest.length > 0).map((native) => ({ artifact, native })),
  );
  const [first] = views;
  if (!first) return undefined;
  const chart = createChart(draw(first));
  const about = element('div', { 'aria-live': 'polite' }, ...describe(first));
  const choice = select(
    'Native code of',
    views.map((view) => ({ label: labelOf(view), value: view })),
    (view) => {
      chart.draw(draw(view));
      about.replaceChildren(...describe(view));
    },
  );
  return section(
    'functions',
    'Native code by function',
    element('div', { class: 'controls' }, choice),
    chart.element,
    about,
  );
}

function labelOf({ artifact, native }: View): string {
  return `${artifact.name}, ${formatEngine(native.engine)}`;
}

function describe(view: View): HTMLElement[] {
  const { native } = view;
  const list = native.largest.slice(0, LISTED);
  return [
    paragraph(
      `${labelOf(view)}: ${formatBytes(native.codeSize)} of instructions for ${formatCount(native.compiled)} functions. ` +
        'The rest of the native code is metadata for V8.',
    ),
    details(
      `The ${list.length} largest functions`,
      table(
        `The largest functions of ${labelOf(view)}`,
        ['Function', 'Instructions#', 'Share#'],
        list.map(([name, size]) => [
          { content: name, head: true },
          formatBytes(size),
          `${((size / native.codeSize) * 100).toFixed(1)} %`,
        ]),
      ),
    ),
  ];
}

function draw(view: View): Drawing {
  const { native } = view;
  return {
    height: HEIGHT,
    label:
      `Treemap of the native code of ${labelOf(view)}. The largest functions: ` +
      native.largest
        .slice(0, 5)
        .map(([name, size]) => `${name} ${formatBytes(size)}`)
        .join(', '),
    option: (theme, width) => ({
      tooltip: tooltip(theme, (parameters) => {
        const { name, value } = parameters as { name: string; value: number };
        const share = `${((value / native.codeSize) * 100).toFixed(1)} % of all instructions`;
        return tooltipText(name, formatBytes(value), share);
      }),
      series: [
        {
          type: 'treemap',
          left: 0,
          right: 0,
          top: 0,
          bottom: 0,
          roam: false,
          nodeClick: false,
          breadcrumb: { show: false },
          itemStyle: { borderWidth: 0, gapWidth: 2, borderColor: theme.surface },
          label: {
            fontSize: 11,
            overflow: 'truncate',
            lineHeight: 14,
            padding: [2, 2],
            position: 'insideTopLeft',
            // Shows only the index of `wasm-function[17]`.
            formatter: ({ name, value }: { name: string; value: number }) =>
              `${name.replace(/^wasm-function(?=\[\d+\]$)/, '')}\n${formatBytes(value)}`,
          },
          data: tiles(native, theme, width),
        },
      ],
    }),
  };
}

/** Returns the tiles, largest first; a larger function has a stronger colour. */
function tiles({ largest, compiled, codeSize }: NativeReport, theme: Theme, width: number): object[] {
  const shown = largest.slice(0, width < 600 ? TILES_OF_NARROW : TILES);
  const hasRoom = (size: number) => (size / codeSize) * width * HEIGHT > ROOM;
  const [, greatest = 1] = shown[0] ?? [];
  const [weak, strong] = [theme.colour('tile-weak'), theme.colour('tile-strong')];
  const functions = shown.map(([name, value]) => ({
    name,
    value,
    itemStyle: { color: mix(weak, strong, Math.sqrt(value / greatest)) },
    label: {
      show: hasRoom(value),
      color: value / greatest > 0.3 ? theme.colour('tile-strong-text') : theme.text,
    },
  }));
  const rest = codeSize - shown.reduce((sum, [, size]) => sum + size, 0);
  const others = {
    name: `${formatCount(compiled - shown.length)} others`,
    value: rest,
    itemStyle: { color: theme.colour('tile-others') },
    label: { show: hasRoom(rest), color: theme.muted },
  };
  return rest > 0 ? [...functions, others] : functions;
}
