/**
 * `npm run bench:variants`: what is best kept of a module's native code, once a training run has told which functions
 * a start executes? Measures the variants below with real modules, each sample in a fresh process, all variants of
 * a module in turn, and prints the medians. CONTRIBUTING.md, "What a profile keeps", has the figures and what follows.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { type ExecutedFunction, findExecuted } from '../../src/v8/executed.ts';
import type { FunctionCounts } from '../../src/v8/layout.ts';
import { createPipeline } from '../../src/build/compile/pipeline.ts';
import { resolveOptions } from '../../src/build/options/options.ts';
import { mixNativeCode, trimNativeCode } from '../../src/v8/trim.ts';
import { readModule } from '../../src/wasm/binary/module.ts';
import { type Job, type Outcome, runNative } from '../../test/support/native-run.ts';
import { wat } from '../../test/support/wat.ts';
import { GENERATED, WORKLOADS } from '../../test/support/workloads.js';
import { describeMachine, today } from '../../src/report/machine.ts';
import { chooseNodes } from '../support/nodes.ts';

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/wasm-precompile', import.meta.url));

/** Calls of a training run that is to find everything hot. */
const LONG_TRAINING = 300;

/** The steady state is that of the last 50 calls: after 300. As many calls take long: only some samples have them. */
const CALLS = 350;
const STEADY_SAMPLES = 4;

type Step = 'load' | 'first' | 'total' | 'cpu' | 'steady';

/** A serialization after a run, and what that run executed. */
interface Training {
  code: Uint8Array;
  executed: Map<number, ExecutedFunction>;
}

interface Sources {
  version: string;
  counts: FunctionCounts;
  /** Everything, compiled ahead of time. */
  full: Uint8Array;
  /** After one call. */
  start: Training;
  /** After many. */
  long: Training;
}

/** What V8 is given, by what is printed for it; undefined: nothing, it compiles. */
const VARIANTS: Readonly<Record<string, (sources: Sources) => Uint8Array | undefined>> = {
  plain: () => undefined,
  full: ({ full }) => full,
  'A executed': ({ full, version, counts, start }) =>
    trimNativeCode(full, version, counts, new Set(start.executed.keys())),
  'B hot': ({ full, version, counts, start }) => trimNativeCode(full, version, counts, hotFunctions(start)),
  'C hot, rest eager': ({ full, version, counts, start }) =>
    mixNativeCode(full, start.code, version, counts, (index) => {
      const found = start.executed.get(index);
      return found === undefined ? 'lazy' : found.optimised ? 'base' : 'eager';
    }),
  'D hot by run': (sources) => mixHot(sources, sources.start),
  'D hot by 300 calls': (sources) => mixHot(sources, sources.long),
  'H hot lazy, by 300 calls': ({ full, version, counts, start, long }) => {
    const hot = hotFunctions(long);
    const rest = [...start.executed.keys()].filter((index) => !hot.has(index));
    return trimNativeCode(full, version, counts, new Set(rest));
  },
  'G cache after 300 calls': ({ long }) => long.code,
};

/** The run's own code for the functions it found hot, ahead-of-time code for others that a start executes. */
function mixHot({ full, version, counts, start }: Sources, training: Training): Uint8Array | undefined {
  const hot = hotFunctions(training);
  return mixNativeCode(full, training.code, version, counts, (index) =>
    hot.has(index) ? 'other' : start.executed.has(index) ? 'base' : 'lazy',
  );
}

function hotFunctions({ executed }: Training): Set<number> {
  return new Set([...executed.values()].filter(({ optimised }) => optimised).map(({ index }) => index));
}

const MODULES = [...Object.keys(WORKLOADS), ...Object.keys(GENERATED)];

interface Settings {
  node: string[];
  module: string[];
  samples: string;
  json?: string;
}

const settings = new Command('npm run bench:variants --')
  .option('--node <versions...>', 'Node versions', ['26', '24', '22', '20'])
  .option('--module <names...>', 'modules', MODULES)
  .option('--samples <n>', 'processes for each variant, besides one to warm up', '7')
  .option('--json <file>', 'write every sample to a file')
  .parse()
  .opts<Settings>();

const all: object[] = [];
for (const node of await chooseNodes(settings.node)) {
  for (const module of settings.module) {
    const measured = await measureModule(node.path, module, Number(settings.samples));
    all.push({ node: node.version, module, ...measured });
    console.log(format(`Node ${node.version}, ${module}`, measured));
  }
}
console.log(`${describeMachine()}, ${today()}.`);
if (settings.json !== undefined) await writeFile(settings.json, JSON.stringify(all, null, 2));

interface Measured {
  sizes: Record<string, number>;
  executed: { functions: number; start: number; hotByRun: number; hotByCalls: number };
  outcomes: Record<string, Outcome[]>;
}

async function measureModule(node: string, name: string, samples: number): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), 'variants-'));
  try {
    const { job, ...sources } = await readSources(node, name, await findWasm(name, folder), folder);
    const sizes: Record<string, number> = {};
    const outcomes: Record<string, Outcome[]> = {};
    for (const [variant, make] of Object.entries(VARIANTS)) {
      const code = make(sources);
      outcomes[variant] = [];
      sizes[variant] = code?.length ?? 0;
      if (code) await writeFile(join(folder, fileName(variant)), code);
    }
    for (let round = 0; round <= samples; round++) {
      const calls = round <= STEADY_SAMPLES && round > 0 ? CALLS : 1;
      for (const [variant, sampled] of Object.entries(outcomes)) {
        const native = sizes[variant] === 0 ? undefined : join(folder, fileName(variant));
        const outcome = await runNative(node, { ...job, native, calls });
        const reference = outcomes['plain']?.[0] ?? outcome;
        if (!outcome.same || outcome.digest !== reference.digest) {
          throw new Error(`${name}, ${variant}: its results differ from those of plain`);
        }
        // The first round warms up; its digest counts.
        if (round === 1) sampled.length = 0;
        sampled.push(outcome);
      }
    }
    const { start, long, counts } = sources;
    const executed = {
      functions: counts.functions,
      start: start.executed.size,
      hotByRun: hotFunctions(start).size,
      hotByCalls: hotFunctions(long).size,
    };
    return { sizes, executed, outcomes };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function findWasm(name: string, folder: string): Promise<string> {
  const generated = GENERATED[name];
  const file = generated ? join(folder, 'generated.wasm') : WORKLOADS[name]?.wasm;
  if (file === undefined) throw new Error(`unknown module "${name}": expected ${MODULES.join(', ')}`);
  if (generated) await writeFile(file, wat(generated.wat));
  return file;
}

type BaseJob = Pick<Job, 'workload' | 'wire'>;

async function readSources(
  node: string,
  name: string,
  wasm: string,
  folder: string,
): Promise<Sources & { job: BaseJob }> {
  const pipeline = createPipeline(resolveOptions({ targets: [node], cache: CACHE, cpu: 'host' }), {
    warn: (message) => console.error(message),
    progress: { track: (_, job) => job() },
  });
  const { wire, native } = await pipeline.compile(await pipeline.read(wasm));
  const [full] = native;
  if (!full) throw new Error(`${name}: there is no native code`);
  const version = full.engine.slice('v8-'.length);
  const { importedFunctions, functions } = readModule(wire, name);
  const counts = { importedFunctions, functions };
  // The native loader maps no files but ours.
  const job = { workload: name, wire: join(folder, 'wire') };
  await writeFile(job.wire, wire);
  const train = async (calls: number): Promise<Training> => {
    const serialize = join(folder, 'trained');
    const { tieredUp } = await runNative(node, { ...job, calls, serialize });
    const code = await readFile(serialize);
    const executed = findExecuted(code, version, counts, new Set(tieredUp));
    if (!executed) throw new Error(`the layout of native code is not known of V8 ${version}`);
    return { code, executed: new Map(executed.map((found) => [found.index, found])) };
  };
  return { job, version, counts, full: full.bytes, start: await train(1), long: await train(LONG_TRAINING) };
}

function fileName(variant: string): string {
  return variant.replaceAll(/[^A-Za-z0-9]/g, '-');
}

function format(title: string, { sizes, executed, outcomes }: Measured): string {
  const steps: Step[] = ['load', 'first', 'total', 'cpu', 'steady'];
  const lines = Object.entries(outcomes).map(([variant, sampled]) => {
    const cells = steps.map((step) =>
      spread(sampled.map((outcome) => outcome[step]).filter((value) => value > 0)),
    );
    return `| ${variant} | ${((sizes[variant] ?? 0) / 1e6).toFixed(1)} | ${cells.join(' | ')} |`;
  });
  const { functions, start, hotByRun, hotByCalls } = executed;
  return [
    `\n${title}: ${start} of ${functions} functions executed, ${hotByRun} hot, ${hotByCalls} after ${LONG_TRAINING} calls`,
    `| variant | MB | ${steps.join(' | ')} |`,
    `| --- | --- | ${steps.map(() => '---').join(' | ')} |`,
    ...lines,
  ].join('\n');
}

/** The median and, since other work on the machine only ever adds, the smallest. */
function spread(values: readonly number[]): string {
  const sorted = values.toSorted((one, other) => one - other);
  const [median = 0, smallest = 0] = [sorted[Math.floor(sorted.length / 2)], sorted[0]];
  return `${median.toPrecision(3)} (${smallest.toPrecision(3)})`;
}
