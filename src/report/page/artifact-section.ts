/** What each artifact holds, as a table. */
import { formatBytes } from '../../common/format-bytes.ts';
import type { ArtifactReport, NativeReport, UnreadableFile } from '../data.ts';
import { type Cell, paragraph, type Row, table } from './dom.ts';
import { formatCount, formatEngine } from './format.ts';
import { section, type Section } from './section.ts';

const HEADS = ['Module', 'Wasm#', 'Engine', 'Native code#', 'Functions#', 'File', 'File size#'];

export function artifactSection(
  artifacts: readonly ArtifactReport[],
  unreadable: readonly UnreadableFile[],
): Section | undefined {
  if (artifacts.length === 0 && unreadable.length === 0) return undefined;
  const children = [];
  if (artifacts.length > 0) {
    const some = artifacts.some(({ native }) => native.some(({ executed }) => executed !== undefined));
    children.push(
      paragraph(
        'Each artifact holds a module and its native code, once for each engine that the build was for. ',
        some
          ? 'Functions: those that the startup profile names, those that have native code, and all that the module declares. The others are compiled when they are first called.'
          : 'Functions: those that have native code, of all that the module declares.',
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

function rowsOf({ file, name, size, wireSize, parts, native }: ArtifactReport): Row[] {
  const rows = Math.max(native.length, 1);
  const module: Cell = { content: name, rows, head: true };
  const [start, ...later] = parts ?? [];
  const split =
    start === undefined ? '' : `, a start: ${formatBytes(start)}, ${later.length} more at first calls`;
  const wire: Cell = { content: `${formatBytes(wireSize)}${split}`, rows };
  const whole: Cell[] = [
    { content: file, rows },
    { content: formatBytes(size), rows },
  ];
  const [first, ...others] = native;
  if (!first) {
    return [[module, wire, { content: 'no native code', missing: true }, '–', '–', ...whole]];
  }
  return [[module, wire, ...nativeCells(first), ...whole], ...others.map(nativeCells)];
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
