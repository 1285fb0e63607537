/**
 * Common code of the small benchmarks: programs with one artifact each, fresh processes, pairs of two variants
 * in turn, and a table of ratios.
 */
import { copyFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Command, Option } from 'commander';
import * as v from 'valibot';
import { packArtifact } from '../../src/artifact/pack.ts';
import { formatTable } from '../../src/cli/format-table.ts';
import { resolveOptions } from '../../src/build/options/resolve.ts';
import { createPipeline } from '../../src/build/compile/pipeline.ts';
import { median, pairRatios } from '../../src/report/statistics.ts';
import { fail, parseCount, parseList } from '../support/arguments.ts';
import { checksum } from '../../src/runtime/node/checksum.ts';
import { describeMachine, today } from '../../src/report/machine.ts';
import { chooseNodes, DEFAULT_NODES, type InstalledNode } from '../support/nodes.ts';
import { runProgram } from '../support/program.ts';
import { createProgressLine, type ProgressLine } from '../support/progress.ts';
import { measureInTurn } from '../support/rounds.ts';

const RUNTIME = fileURLToPath(new URL('../../dist/runtime/', import.meta.url));

/** Output of one process: milliseconds by name. */
const sampleSchema = v.record(v.string(), v.number());

type Sample = v.InferOutput<typeof sampleSchema>;

export interface PairCase {
  /** Row label in the table. */
  label: string;
  node: InstalledNode;
  /** Path of the script. */
  script: string;
}

interface PairResult extends PairCase {
  /** Samples of both variants; samples with the same index were taken in the same round. */
  samples: [first: Sample[], second: Sample[]];
}

export interface PairBench {
  name: string;
  description: string;
  /** The possible arguments of a script. */
  variants: readonly [string, string];
  cases(folder: string, nodes: readonly InstalledNode[], progress: ProgressLine): Promise<PairCase[]>;
  legend: string;
}

interface Settings {
  node: string[];
  pairs: number;
  json?: string;
}

/** Runs a benchmark as a program. */
export async function runPairs(bench: PairBench): Promise<void> {
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
    const [machine, date] = [describeMachine(), today()];
    console.log(`${formatResults(bench, results)}\n\n${bench.legend}\nPairs: ${pairs}. ${machine}, ${date}.`);
    if (json !== undefined) {
      await writeFile(json, `${JSON.stringify({ machine, date, pairs, results }, null, 2)}\n`);
    }
  } catch (error) {
    fail(bench.name, error);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @throws Error if a process fails */
async function measure(
  { variants }: PairBench,
  cases: readonly PairCase[],
  pairs: number,
  progress: ProgressLine,
): Promise<PairResult[]> {
  const candidates = cases.flatMap(({ node, script }) =>
    variants.map((variant) => () => start(node, script, variant)),
  );
  const outcomes = await measureInTurn(candidates, pairs, progress, 'Measuring');
  return cases.map((one, index) => {
    const samples = [0, 1].map((variant) => {
      const outcome = outcomes[index * variants.length + variant];
      if (outcome?.missing === undefined) return outcome?.samples ?? [];
      throw new Error(`${one.label} on Node ${one.node.version}, ${variants[variant]}: ${outcome.missing}`);
    });
    return { ...one, samples: [samples[0] ?? [], samples[1] ?? []] };
  });
}

async function start({ path }: InstalledNode, script: string, variant: string): Promise<Sample> {
  const { output, stderr } = await runProgram([path, script, variant], sampleSchema);
  if (stderr !== '') throw new Error(stderr);
  return output;
}

function formatResults({ variants }: PairBench, results: readonly PairResult[]): string {
  const names = Object.keys(results[0]?.samples[0][0] ?? {});
  const head = [
    '',
    'Node',
    ...names.flatMap((name) => variants.map((variant) => `${variant}: ${name}`)),
    ...names.map((name) => `${name}: ${variants[1]}/${variants[0]}`),
  ];
  const lines = results.map(({ label, node, samples }) => {
    const values = (name: string) => samples.map((own) => own.map((sample) => sample[name] ?? Number.NaN));
    const times = names.flatMap((name) => values(name).map((own) => median(own).toFixed(1)));
    const ratios = names.map((name) => {
      const [first = [], second = []] = values(name);
      const ratio = pairRatios(second, first);
      return `${percent(ratio.median)} (${percent(ratio.min)}–${percent(ratio.max)})`;
    });
    return [label, node.version, ...times, ...ratios];
  });
  return formatTable([head, ...lines]);
}

function percent(ratio: number): string {
  return `${Math.round(ratio * 100)} %`;
}

/**
 * Builds an artifact of a wasm file for some nodes, with the runtime and the native addon beside it, and a
 * script. The script may use `create()`, which returns a module handle, `wasm`, the path of the wasm file, and
 * `variant`.
 *
 * @returns path of the script
 */
export async function createScript(
  folder: string,
  wasm: string,
  nodes: readonly InstalledNode[],
  body: string,
): Promise<string> {
  const options = resolveOptions({ targets: nodes.map(({ path }) => path) });
  const pipeline = createPipeline(options, {
    warn: (message) => {
      throw new Error(message);
    },
    progress: { track: (_, job) => job() },
  });
  const { bytes, manifest } = packArtifact(await pipeline.compile(await pipeline.read(wasm)));
  await mkdir(folder, { recursive: true });
  await cp(RUNTIME, join(folder, 'runtime'), { recursive: true });
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  const artifact = join(folder, 'module.elf');
  await writeFile(artifact, bytes);
  const addons: Record<string, [string, number]> = {};
  for (const [key, addon] of await pipeline.addons()) {
    const copy = join(folder, `${key}.node`);
    await copyFile(addon, copy);
    addons[key] = [pathToFileURL(copy).href, checksum(await readFile(copy))];
  }
  const url = pathToFileURL(artifact).href;
  const script = join(folder, 'start.js');
  await writeFile(
    script,
    `import { fromArtifact } from '../../src/runtime/node/index.ts';
import { checkCompatibility } from './runtime/node/compatibility.js';
const manifest = ${JSON.stringify(manifest)};
const addons = ${JSON.stringify(addons)};
const create = () => fromArtifact(${JSON.stringify(url)}, manifest, { verify: true, fallback: 'error', checkCompatibility }, addons);
const wasm = ${JSON.stringify(wasm)};
const variant = process.argv[2];
${body}`,
  );
  return script;
}
