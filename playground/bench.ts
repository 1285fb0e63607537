/**
 * What the small benchmarks have in common: programs of one artifact each, fresh processes, pairs of two variants in
 * turn, a table of ratios.
 */
import { copyFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { crc32 } from 'node:zlib';
import { Command, CommanderError, Option } from 'commander';
import { execa } from 'execa';
import { packArtifact } from '../src/artifact/pack.ts';
import { resolveOptions } from '../src/core/options.ts';
import { createPipeline } from '../src/core/pipeline.ts';
import { median } from '../src/report/statistics.ts';
import { parseList, parseCount } from './arguments.ts';
import { chooseNodes, DEFAULT_NODES, type NodeChoice } from './nodes.ts';
import { createProgressLine, type ProgressLine } from './progress.ts';
import { describeMachine } from './table.ts';

const RUNTIME = fileURLToPath(new URL('../dist/runtime/', import.meta.url));

/** What a variant of a case gives in one process: milliseconds, by name. */
export type Sample = Record<string, number>;

export interface BenchCase {
  /** For the table. */
  label: string;
  node: NodeChoice;
  /** The script that runs, and what it is told for each variant. */
  script: string;
}

export interface BenchResult extends BenchCase {
  /** The first variant's sample and the second's. */
  pairs: [Sample, Sample][];
}

export interface Bench {
  name: string;
  description: string;
  /** The one argument that a script gets. */
  variants: readonly [string, string];
  cases(folder: string, nodes: readonly NodeChoice[], progress: ProgressLine): Promise<BenchCase[]>;
  legend: string;
}

interface Settings {
  node: string[];
  pairs: number;
  json?: string;
}

/** Runs a benchmark as a program. */
export async function runBench(bench: Bench): Promise<void> {
  const command = new Command(`npm run ${bench.name} --`)
    .description(bench.description)
    .addOption(
      new Option('--node <versions>', 'Node versions, separated by commas: host, 20, 22, 24 …')
        .argParser(parseList)
        .default(DEFAULT_NODES, DEFAULT_NODES.join(',')),
    )
    .option('--pairs <n>', 'pairs of processes for each case', parseCount, 11)
    .option('--json <file>', 'write every sample to a file')
    .allowExcessArguments(false)
    .exitOverride();
  const folder = await mkdtemp(join(tmpdir(), 'wasm-precompile-bench-'));
  try {
    const { node, pairs, json } = command.parse().opts<Settings>();
    if (!existsSync(RUNTIME)) throw new Error('the runtime is not built: run `npm run build` first');
    const progress = createProgressLine();
    const nodes = await chooseNodes(node);
    const results = await measure(bench, await bench.cases(folder, nodes, progress), pairs, progress);
    const machine = describeMachine();
    console.log(`${formatResults(bench, results)}\n\n${bench.legend}\nPairs: ${pairs}. ${machine}`);
    if (json !== undefined) {
      await writeFile(json, `${JSON.stringify({ machine, pairs, results }, null, 2)}\n`);
    }
  } catch (error) {
    // Commander has printed what is wrong with the arguments, or the help.
    if (!(error instanceof CommanderError)) {
      console.error(`${bench.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
    process.exitCode = error instanceof CommanderError ? error.exitCode : 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** All cases in turn, so that a drift of the machine's speed meets each of them alike; one pair to warm up. */
async function measure(
  { variants: [first, second] }: Bench,
  cases: readonly BenchCase[],
  pairs: number,
  progress: ProgressLine,
): Promise<BenchResult[]> {
  const results = cases.map((one): BenchResult => ({ ...one, pairs: [] }));
  for (let round = 0; round <= pairs; round += 1) {
    progress.update(round === 0 ? 'Warming up …' : `Measuring: ${round - 1} of ${pairs} pairs …`);
    for (const result of results) {
      const pair: [Sample, Sample] = [await start(result, first), await start(result, second)];
      if (round > 0) result.pairs.push(pair);
    }
  }
  progress.end();
  return results;
}

async function start({ label, node, script }: BenchCase, variant: string): Promise<Sample> {
  const { stdout, stderr } = await execa(node.path, [script, variant], { env: { NODE_OPTIONS: '' } });
  if (stderr !== '') throw new Error(`${label} on Node ${node.version}, ${variant}: ${stderr}`);
  return JSON.parse(stdout) as Sample;
}

function formatResults({ variants }: Bench, results: readonly BenchResult[]): string {
  const names = Object.keys(results[0]?.pairs[0]?.[0] ?? {});
  const head = ['', 'Node', ...names.flatMap((name) => variants.map((variant) => `${variant}: ${name}`))];
  const lines = results.map(({ label, node, pairs }) => {
    const times = names.flatMap((name) =>
      [0, 1].map((index) => median(pairs.map((pair) => pair[index]?.[name] ?? Number.NaN)).toFixed(1)),
    );
    const ratios = names.map((name) => {
      const values = pairs.map(([first, second]) => (second[name] ?? 0) / (first[name] ?? 0));
      return `${percent(median(values))} (${percent(Math.min(...values))}–${percent(Math.max(...values))})`;
    });
    return [label, node.version, ...times, ...ratios];
  });
  const table = [[...head, ...names.map((name) => `${name}: ${variants[1]}/${variants[0]}`)], ...lines];
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((line) => (line[column] ?? '').length)),
  );
  return table
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function percent(ratio: number): string {
  return `${Math.round(ratio * 100)} %`;
}

/**
 * Builds an artifact of a wasm file for some nodes, with the runtime and the native loader beside it, and a script that
 * may use `create()`, which makes a loader, `wasm`, the path of the wasm file, and `variant`.
 *
 * @returns path of the script
 */
export async function createScript(
  folder: string,
  wasm: string,
  nodes: readonly NodeChoice[],
  body: string,
): Promise<string> {
  const options = resolveOptions({ targets: nodes.map(({ path }) => path) });
  const pipeline = createPipeline(options, {
    warn: (message) => {
      throw new Error(message);
    },
    progress: { track: (_, job) => job() },
  });
  const { bytes, map } = packArtifact(await pipeline.compile(await pipeline.read(wasm)));
  await mkdir(folder, { recursive: true });
  await cp(RUNTIME, join(folder, 'runtime'), { recursive: true });
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  const artifact = join(folder, 'module.elf');
  await writeFile(artifact, bytes);
  const addons: Record<string, [string, number]> = {};
  for (const [key, binary] of await pipeline.addons()) {
    const copy = join(folder, `${key}.node`);
    await copyFile(binary, copy);
    addons[key] = [pathToFileURL(copy).href, crc32(await readFile(copy))];
  }
  const url = pathToFileURL(artifact).href;
  const script = join(folder, 'start.js');
  await writeFile(
    script,
    `import { fromArtifact } from './runtime/node.js';
import { fit } from './runtime/fit.js';
const map = ${JSON.stringify(map)};
const addons = ${JSON.stringify(addons)};
const create = () => fromArtifact(${JSON.stringify(url)}, map, { verify: true, fallback: 'error', fit }, addons);
const wasm = ${JSON.stringify(wasm)};
const variant = process.argv[2];
${body}`,
  );
  return script;
}
