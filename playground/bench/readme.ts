/**
 * `npm run bench:readme -- <file>`: writes the README's figures from the samples of `npm run bench -- --json
 * <file>`, so that the figures are never edited by hand.
 */
import { readFile } from 'node:fs/promises';
import { formatBytes } from '../../src/common/format-bytes.ts';
import type { BenchCase, BenchMode, BenchResult, BenchSample } from '../../src/report/report-data.ts';
import { median, pairRatios } from '../../src/report/statistics.ts';
import { fail, UsageError } from '../support/arguments.ts';
import { formatTimes } from '../support/figures.ts';
import { formatMarkdown, README, writeSection } from '../support/readme.ts';

const ROWS: readonly [label: string, value: (sample: BenchSample) => number][] = [
  ['first result', ({ total }) => total],
  ['first call alone', ({ call }) => call],
  ['peak memory', ({ peakMemory }) => peakMemory],
];

try {
  const [file, readme = README] = process.argv.slice(2);
  if (file === undefined) {
    throw new UsageError('expected the path of a file written by `npm run bench -- --json`');
  }
  await writeSection(readme, 'bench', describe(JSON.parse(await readFile(file, 'utf8')) as BenchResult));
} catch (error) {
  fail('bench:readme', error);
}

function describe(result: BenchResult): string {
  const { machine, date, command, rounds, peers } = result;
  const foot =
    `Medians of the ratios of ${rounds} rounds of fresh processes. Bold: with a startup profile, split when it saves enough; in ` +
    `brackets: native code for all functions. \`${command}\`; ${machine}, ${date}.`;
  return [describeCases(result), foot, ...(peers.length > 0 ? [describePeers(result)] : [])].join('\n\n');
}

function describeCases({ modules, cases }: BenchResult): string {
  const nodes = [...new Set(cases.map(({ node }) => node))];
  const head = ['speedup over the baseline', ...nodes.map((node) => `Node ${node.split('.', 1)[0]}`)];
  const lines = ROWS.flatMap(([label, value]) =>
    modules.map(({ name, wasmSize }) => [
      `${name} (${formatBytes(wasmSize)}), ${label}`,
      ...nodes.map((node) => {
        const found = cases.find((each) => each.module === name && each.node === node);
        return found ? describeCase(found, value) : '';
      }),
    ]),
  );
  return formatMarkdown([head, ...lines]);
}

function describeCase(one: BenchCase, value: (sample: BenchSample) => number): string {
  const [profile, precompiled] = [ratio(one, 'profile', value), ratio(one, 'precompiled', value)];
  return `**${profile}** (${precompiled})`;
}

function ratio(
  { modes: { baseline, ...modes } }: BenchCase,
  mode: Exclude<BenchMode, 'baseline'>,
  value: (sample: BenchSample) => number,
) {
  const other = modes[mode];
  if (baseline.missing !== undefined || other.missing !== undefined) return '–';
  return formatTimes(pairRatios(baseline.samples.map(value), other.samples.map(value)).median);
}

/** Formats milliseconds to the first result, or the reason for a missing result. */
function describePeers({ peers }: BenchResult): string {
  const tasks = [...new Set(peers.map(({ module, node }) => `${module}, Node ${node.split('.', 1)[0]}`))];
  const names = [...new Set(peers.map(({ peer }) => peer))];
  const reasons: string[] = [];
  const lines = names.map((name) => [
    name,
    ...tasks.map((task) => {
      const found = peers.find(
        ({ peer, module, node }) => peer === name && `${module}, Node ${node.split('.', 1)[0]}` === task,
      );
      if (!found) return '';
      const { outcome } = found;
      if (outcome.missing === undefined) {
        return `${median(outcome.totals).toFixed(0)} ms, ${formatBytes(outcome.outputSize)}`;
      }
      reasons.push(`${name}, ${found.module}: ${outcome.missing}`);
      return `– (${reasons.length})`;
    }),
  ]);
  const notes = reasons.map((reason, index) => `(${index + 1}) ${reason}`);
  return [
    'The same task with other bundler plugins: time from just before the bundle is imported until the first result, and size of the output. Ours has native code for all functions.',
    formatMarkdown([['', ...tasks], ...lines]),
    ...notes,
  ].join('\n\n');
}
