/** `npm run matrix:readme`: runs the matrix and writes its results into the README's table. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { type Format, FORMATS, LABELS, type MatrixBundler } from './matrix-labels.ts';
import { formatMarkdown, README, writeSection } from '../../playground/support/readme.ts';

interface Line {
  bundler: MatrixBundler;
  format: Format;
  row: Record<string, string>;
}

const folder = await mkdtemp(join(tmpdir(), 'wasm-precompile-matrix-'));
try {
  const file = join(folder, 'lines');
  await execa('vitest', ['run', 'test/bundlers/matrix.test.ts'], {
    preferLocal: true,
    stdio: 'inherit',
    env: { WASM_MATRIX: file },
  });
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  await writeSection(README, 'matrix', describe(lines.map((line) => JSON.parse(line) as Line)));
} finally {
  await rm(folder, { recursive: true });
}

/** Returns the table in Markdown, with a numbered note for each reason. */
function describe(lines: readonly Line[]): string {
  const reasons: string[] = [];
  const describeCell = (cell: string) => {
    const [, reason] = /^no: (.+)$/.exec(cell) ?? [];
    if (reason === undefined) return cell;
    if (!reasons.includes(reason)) reasons.push(reason);
    return `– (${reasons.indexOf(reason) + 1})`;
  };
  const rows = lines.map(({ bundler, format, row }) => [
    LABELS[bundler],
    FORMATS[format],
    ...Object.values(row).map(describeCell),
  ]);
  const head = ['bundler', 'output', ...Object.keys(lines[0]?.row ?? {})];
  const notes = reasons.map((reason, index) => `(${index + 1}) ${reason}.`);
  return [formatMarkdown([head, ...rows]), ...notes].join('\n\n');
}
