/**
 * `npm run playground:readme -- <file>`: writes the README's table from the samples that
 * `npm run playground -- --json <file>` has kept, so that nobody types a figure.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { median } from '../src/report/statistics.ts';
import { writeAtomic } from '../src/write-atomic.ts';
import type { Mode } from './build.ts';
import type { Case, Measurement } from './measure.ts';
import type { PlaygroundResult } from './run.ts';
import { formatRatio } from './table.ts';

const README = fileURLToPath(new URL('../README.md', import.meta.url));
const START = '<!-- playground:start -->';
const END = '<!-- playground:end -->';

const file = process.argv[2];
if (file === undefined)
  throw new Error('Expected the path of a file that `npm run playground -- --json` has written.');
const result = JSON.parse(await readFile(file, 'utf8')) as PlaygroundResult;
const readme = await readFile(README, 'utf8');
const [before, rest, ...more] = readme.split(START);
const after = rest?.split(END)[1];
if (before === undefined || after === undefined || more.length > 0) {
  throw new Error(`${README}: expected ${START} and ${END}, once each.`);
}
await writeAtomic(README, Buffer.from(`${before}${START}\n\n${describe(result)}\n\n${END}${after}`));
await execa('oxfmt', [README], { preferLocal: true });

function describe({ machine, rounds, cases }: PlaygroundResult): string {
  const nodes = [...new Set(cases.map(({ node }) => node.version))];
  const modules = [...new Set(cases.map(({ module }) => module))];
  const find = (module: string, version: string) =>
    cases.find((each) => each.module === module && each.node.version === version);
  const row = (module: string, value: (of: Measurement) => number) =>
    nodes.map((version) => {
      const found = find(module, version);
      return found ? `**${ratio(found, 'trained', value)}** (${ratio(found, 'precompiled', value)})` : '';
    });
  const total = modules.map((module) => [
    `${module}, first result`,
    ...row(module, ({ times }) => times.total),
  ]);
  const call = modules.map((module) => [
    `${module}, first call alone`,
    ...row(module, ({ times }) => times.call),
  ]);
  const memory = modules.map((module) => [
    `${module}, peak memory`,
    ...row(module, ({ peakMemory }) => peakMemory),
  ]);
  const head = ['times better than plain', ...nodes.map((version) => `Node ${version.split('.')[0]}`)];
  return [
    line(head),
    line(head.map(() => '---')),
    ...[...total, ...call, ...memory].map(line),
    '',
    `Bold: trained with a startup profile; in brackets: native code for all functions. Medians of the ratios of ${rounds} rounds of`,
    `fresh processes, printed by \`npm run playground\`; ${machine}`,
  ].join('\n');
}

function ratio({ rounds }: Case, mode: Mode, value: (of: Measurement) => number): string {
  return `${formatRatio(median(rounds.map((round) => value(round.plain) / value(round[mode]))))}×`;
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
