/**
 * `npm run bench:web:readme -- <files>`: writes the README's figures on pages from the samples of
 * `npm run bench:web -- --json <file>`, in one file or several.
 */
import { readFile } from 'node:fs/promises';
import { formatBytes } from '../../../src/common/format-bytes.ts';
import { median } from '../../../src/report/statistics.ts';
import { fail, UsageError } from '../../support/arguments.ts';
import { formatMarkdown, README, writeSection } from '../../support/readme.ts';
import { ALL_WEB_MODES, type WebMode } from '../../web/modes.ts';
import type { WebBenchResult, WebCase } from './result.ts';
import { ratioTo } from './table.ts';

try {
  const files = process.argv.slice(2);
  if (files.length === 0) {
    throw new UsageError('expected paths of files written by `npm run bench:web -- --json`');
  }
  const results = await Promise.all(
    files.map(async (file) => JSON.parse(await readFile(file, 'utf8')) as WebBenchResult),
  );
  await writeSection(README, 'bench-web', describe(results));
} catch (error) {
  fail('bench:web:readme', error);
}

function describe(results: readonly WebBenchResult[]): string {
  const cases = results
    .flatMap((result) => result.cases)
    .toSorted((a, b) => a.wasmSize - b.wasmSize || order(a) - order(b));
  const modes = ALL_WEB_MODES.filter((mode) =>
    cases.some((one) => one.modes.some((each) => each.mode === mode)),
  );
  const deliveries = modes.filter((mode) => mode !== 'vite');
  const head = ['first result', 'network', 'Vite alone', ...deliveries.map(describeDelivery)];
  const lines = cases.map((one) => [
    `${one.module} (${formatBytes(one.wasmSize)}), ${describeVisit(one)}`,
    one.network,
    describeAlone(one),
    ...deliveries.map((mode) => describeMode(one, mode)),
  ]);
  const [{ machine, date, browser, rounds } = { machine: '', date: '', browser: '', rounds: 0 }] = results;
  const commands = [...new Set(results.map(({ command }) => `\`${command}\``))].join(', ');
  const foot =
    `Vite alone: from the start of the navigation to the first result, with bytes on the wire for the whole page. Others: ratio ` +
    `to Vite alone, median of ${rounds} rounds; below 1, the plugin is better; with bytes if they differ. ${browser}, ` +
    `${commands}; ${machine}, ${date}.`;
  return `${formatMarkdown([head, ...lines])}\n\n${foot}`;
}

/** Sorts first visits before cached ones, and hosts that compress before those that do not. */
function order({ visit, compressed }: WebCase): number {
  return (visit === 'first' ? 0 : 2) + (compressed ? 0 : 1);
}

/** Returns, for example, `stream`; with a startup profile: `stream`, split. */
function describeDelivery(mode: WebMode): string {
  if (mode === 'all-split') return "`stream`, split, `preload: 'all'`";
  const [delivery = mode, split] = mode.split('-');
  return `\`${delivery}\`${split === undefined ? '' : ', split'}`;
}

function describeVisit({ visit, compressed }: WebCase): string {
  if (visit === 'cached') return 'later visit';
  return compressed ? 'first visit, host compresses' : 'first visit, host does not compress';
}

function outcomeOf({ modes }: WebCase, wanted: WebMode) {
  const outcome = modes.find(({ mode }) => mode === wanted)?.outcome;
  return outcome?.missing === undefined ? outcome : undefined;
}

function describeAlone(one: WebCase): string {
  const outcome = outcomeOf(one, 'vite');
  return outcome ? `${median(outcome.totals).toFixed(0)} ms, ${formatBytes(outcome.bytes)}` : '–';
}

function describeMode(one: WebCase, mode: WebMode): string {
  const outcome = outcomeOf(one, mode);
  if (!outcome) return '–';
  const alone = outcomeOf(one, 'vite')?.bytes ?? 0;
  const differs = Math.abs(outcome.bytes - alone) > alone / 10 && Math.max(outcome.bytes, alone) > 100_000;
  return `${ratioTo(one, outcome).median.toFixed(2)}${differs ? `, ${formatBytes(outcome.bytes)}` : ''}`;
}
