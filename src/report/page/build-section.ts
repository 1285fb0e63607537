/** Cost of building. */
import { formatBytes } from '../../common/format-bytes.ts';
import type { BenchBuild } from '../report-data.ts';
import { barChart } from './bars.ts';
import { element, paragraph, table } from './dom.ts';
import { formatSeconds } from './format-numbers.ts';
import { colourOf, modeLegend } from './modes.ts';
import { card, cards, section, type Section } from './section.ts';

const MODES = ['baseline', 'precompiled', 'profile'] as const;

const TIMES = [
  { title: 'With an empty cache', value: ({ coldSeconds }: BenchBuild) => coldSeconds },
  { title: 'With a full cache', value: ({ cachedSeconds }: BenchBuild) => cachedSeconds },
];

export function buildSection(builds: readonly BenchBuild[]): Section | undefined {
  if (builds.length === 0) return undefined;
  const modules = [...new Set(builds.map(({ module }) => module))];
  const find = (module: string, mode: BenchBuild['mode']) =>
    builds.find((build) => build.module === module && build.mode === mode);
  const charts = TIMES.map(({ title, value }) => {
    const chart = barChart({
      label: `Build times. ${title}: ${builds.map((build) => `${build.module} ${build.mode} ${formatSeconds(value(build))}`).join(', ')}`,
      categories: modules,
      series: MODES.map((mode) => ({
        name: mode,
        colour: colourOf(mode),
        bars: modules.map((module) => {
          const build = find(module, mode);
          return build && { to: value(build), label: formatSeconds(value(build)), more: [] };
        }),
      })),
      format: formatSeconds,
    });
    return card(title, '', chart.element);
  });
  return section(
    'builds',
    'Builds',
    paragraph('Seconds to build a program with one module.'),
    element('div', { class: 'controls' }, modeLegend(MODES)),
    cards(...charts),
    table(
      'Builds',
      ['Module', 'Mode', 'Empty cache#', 'Full cache#', 'Native code#', 'Output#'],
      builds.map(({ module, mode, coldSeconds, cachedSeconds, nativeSize, outputSize }, index) => [
        // One cell names the module for its consecutive rows.
        ...(builds[index - 1]?.module === module
          ? []
          : [{ content: module, head: true, rows: countSameModule(builds, index) }]),
        mode,
        formatSeconds(coldSeconds),
        formatSeconds(cachedSeconds),
        nativeSize > 0 ? formatBytes(nativeSize) : '–',
        formatBytes(outputSize),
      ]),
    ),
  );
}

/** Returns how many consecutive builds, from an index on, have the same module. */
function countSameModule(builds: readonly BenchBuild[], index: number): number {
  const rest = builds.slice(index);
  const end = rest.findIndex(({ module }) => module !== rest[0]?.module);
  return end === -1 ? rest.length : end;
}
