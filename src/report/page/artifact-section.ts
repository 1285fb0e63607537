/** The contents of each artifact, as a table. */
import { formatBytes } from '../../common/format-bytes.ts';
import type { ArtifactReport, NativeReport, UnreadableFile } from '../report-data.ts';
import { type Cell, paragraph, type Row, table } from './dom.ts';
import { formatCount, formatEngine } from './format-numbers.ts';
import { section, type Section } from './section.ts';

const HEADS = ['Module', 'Wasm#', 'Engine', 'Native code#', 'Functions#', 'File', 'File size#'];

export function artifactSection(
  artifacts: readonly ArtifactReport[],
  unreadable: readonly UnreadableFile[],
): Section | undefined {
  if (artifacts.length === 0 && unreadable.length === 0) return undefined;
  const children = [];
  if (artifacts.length > 0) {
    const hasProfile = artifacts.some(({ native }) => native.some(({ executed }) => executed !== undefined));
    children.push(
      paragraph(
        'Each artifact contains a module and its native code for each target of the build. ',
        hasProfile
          ? 'Functions: in the startup profile / with native code / declared by the module. Functions without native code are compiled at their first call.'
          : 'Functions: with native code / declared by the module.',
      ),
      table('Artifacts', HEADS, [...artifacts.flatMap(rowsOf), ...total(artifacts)]),
    );
  }
  if (unreadable.length > 0) {
    children.push(
      table(
        'Artifacts that cannot be read',
        ['File', 'Reason'],
        unreadable.map(({ file, reason }) => [
          { content: file, head: true },
          { content: reason, missing: true },
        ]),
      ),
    );
  }
  return section('artifacts', 'Artifacts', ...children);
}

function rowsOf({ file, name, size, wireSize, split, native }: ArtifactReport): Row[] {
  const rows = Math.max(native.length, 1);
  const module: Cell = { content: name, rows, head: true };
  const loaded = split
    ? `, ${formatBytes(split.startupSize)} at startup, ${split.secondarySizes.length} secondary modules at first calls`
    : '';
  const wire: Cell = { content: `${formatBytes(wireSize)}${loaded}`, rows };
  const fileCells: Cell[] = [
    { content: file, rows },
    { content: formatBytes(size), rows },
  ];
  const [first, ...others] = native;
  if (!first) {
    return [[module, wire, { content: 'no native code', missing: true }, '–', '–', ...fileCells]];
  }
  return [[module, wire, ...nativeCells(first), ...fileCells], ...others.map(nativeCells)];
}

function nativeCells({ engine, size, functions, compiled, executed }: NativeReport): Cell[] {
  const counts = compiled > 0 || executed !== undefined ? [executed, compiled, functions] : [functions];
  return [
    { content: formatEngine(engine), title: engine },
    { content: formatBytes(size) },
    {
      content: counts.flatMap((count) => (count === undefined ? [] : [formatCount(count)])).join(' / '),
      title: [executed === undefined ? '' : 'executed / ', 'with native code / all'].join(''),
    },
  ];
}

function total(artifacts: readonly ArtifactReport[]): Row[] {
  if (artifacts.length < 2) return [];
  return [
    [
      { content: 'All', head: true },
      formatSum(artifacts.map(({ wireSize }) => wireSize)),
      '',
      formatSum(artifacts.flatMap(({ native }) => native.map(({ size }) => size))),
      '',
      '',
      formatSum(artifacts.map(({ size }) => size)),
    ],
  ];
}

function formatSum(sizes: readonly number[]): string {
  return formatBytes(sizes.reduce((all, size) => all + size, 0));
}
