/** One start of each module, step by step. */
import type { StartupReport, StartupStep, StepName } from '../data.ts';
import { barChart, type BarSeries, shorten } from './bars.ts';
import { details, element, paragraph, table } from './dom.ts';
import { formatMilliseconds } from './format.ts';
import { card, cards, notes, section, type Section } from './section.ts';

const COLOURS: Readonly<Record<StepName, string>> = {
  map: 'step-map',
  check: 'step-check',
  load: 'step-load',
  instantiate: 'step-instantiate',
  'first call': 'step-call',
};

export function startupSection(
  starts: readonly StartupReport[],
  missing: readonly string[],
): Section | undefined {
  if (starts.length === 0 && missing.length === 0) return undefined;
  return section(
    'starts',
    'One start',
    paragraph(
      'Milliseconds from the moment when somebody asked for the module, seen in one run of the program: another run takes ' +
        'another time. Between the steps the program does something else. ',
      element('strong', {}, 'map'),
      ': the file is mapped or read; where that happens on another thread, its checksums are computed there, too. ',
      element('strong', {}, 'load'),
      ': V8 takes the native code over, or compiles. ',
      element('strong', {}, 'first call'),
      ': the first exported function that is called, whatever it is.',
    ),
    cards(...starts.map(startCard)),
    notes(missing),
    ...(starts.length > 0
      ? [
          details(
            'The same as a table',
            table(
              'Steps of the starts',
              ['Module', 'Node', 'Mode', 'Step', 'Of', 'Begins#', 'Takes#'],
              starts.flatMap(({ module, node, mode, steps }) =>
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

function startCard({ module, node, mode, steps }: StartupReport): HTMLElement {
  const end = Math.max(0, ...steps.map((step) => step.end));
  const busy = steps.reduce((sum, step) => sum + step.end - step.start, 0);
  const label =
    `Start of ${module} in Node ${node}, ${mode}: ` +
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
