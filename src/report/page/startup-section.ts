/** One startup of each module, step by step. */
import type { StartupReport, StartupStep, StepName } from '../report-data.ts';
import { barChart, type BarSeries, shorten } from './bars.ts';
import { details, element, paragraph, table } from './dom.ts';
import { formatMilliseconds } from './format-numbers.ts';
import { card, cards, notes, section, type Section } from './section.ts';

const COLOURS: Readonly<Record<StepName, string>> = {
  map: 'step-map',
  check: 'step-check',
  load: 'step-load',
  instantiate: 'step-instantiate',
  'first call': 'step-call',
};

export function startupSection(
  startups: readonly StartupReport[],
  missing: readonly string[],
): Section | undefined {
  if (startups.length === 0 && missing.length === 0) return undefined;
  return section(
    'startups',
    'One startup',
    paragraph(
      'Milliseconds since the program requested the module, measured in one run of the program; times vary between runs. ' +
        'Between the steps the program does other work. ',
      element('strong', {}, 'map'),
      ': the file is mapped or read; on another thread, that includes computing its checksums. ',
      element('strong', {}, 'load'),
      ': V8 deserializes the native code, or compiles. ',
      element('strong', {}, 'first call'),
      ': the first call of any exported function.',
    ),
    cards(...startups.map(startupCard)),
    notes(missing),
    ...(startups.length > 0
      ? [
          details(
            'The steps as a table',
            table(
              'Steps of the startups',
              ['Module', 'Node', 'Mode', 'Step', 'Function', 'Begin#', 'Duration#'],
              startups.flatMap(({ module, node, mode, steps }) =>
                steps.map(({ name, start, end, detail = '' }) => [
                  { content: module, head: true },
                  node,
                  mode,
                  name,
                  detail,
                  formatMilliseconds(start),
                  formatMilliseconds(end - start),
                ]),
              ),
            ),
          ),
        ]
      : []),
  );
}

function startupCard({ module, node, mode, steps }: StartupReport): HTMLElement {
  const end = Math.max(0, ...steps.map((step) => step.end));
  const busy = steps.reduce((sum, step) => sum + step.end - step.start, 0);
  const label =
    `Startup of ${module} in Node ${node}, ${mode}: ` +
    steps.map((step) => `${step.name} ${formatMilliseconds(step.end - step.start)}`).join(', ');
  const chart = barChart({
    label,
    categories: steps.map(({ name }) => name),
    series: steps.map((step, index) => stepSeries(step, index)),
    overlay: true,
    format: (value) => `${value} ms`,
  });
  return card(
    module,
    `Node ${node}, ${mode}: ${formatMilliseconds(end)}, of which ${formatMilliseconds(busy)} in these steps`,
    chart.element,
  );
}

function stepSeries({ name, start, end, detail }: StartupStep, index: number): BarSeries {
  const bar = {
    from: start,
    to: end,
    label: [formatMilliseconds(end - start), ...(detail === undefined ? [] : [shorten(detail)])].join(' · '),
    more: [
      `from ${formatMilliseconds(start)} to ${formatMilliseconds(end)}`,
      ...(detail === undefined ? [] : [detail]),
    ],
  };
  return { name: '', colour: COLOURS[name], bars: [...Array.from({ length: index }, () => undefined), bar] };
}
