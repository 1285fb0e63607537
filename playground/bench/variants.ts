/**
 * `npm run bench:variants`: compares what to keep of a module's native code, given the functions that a
 * training run executed. Measures the variants below with real modules, each sample in a fresh process, the
 * variants in turn, and prints medians. The figures and the conclusions are in
 * docs/internals/decisions/what-a-profile-keeps.md.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { type ExecutedFunction, findExecuted } from '../../src/v8/executed.ts';
import type { FunctionCounts } from '../../src/v8/layout.ts';
import { createPipeline } from '../../src/build/compile/pipeline.ts';
import { resolveOptions } from '../../src/build/options/resolve.ts';
import { mixNativeCode, trimNativeCode } from '../../src/v8/records.ts';
import { readModule } from '../../src/wasm/binary/module.ts';
import { type Job, type Outcome, runNative } from '../../test/support/native-run.ts';
import { wat } from '../../test/support/wat.ts';
import { GENERATED, WORKLOADS } from '../../test/support/workloads.js';
import { describeMachine, today } from '../../src/report/machine.ts';
import { chooseNodes } from '../support/nodes.ts';

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/wasm-precompile', import.meta.url));

/** Calls of a training run in which V8 optimises all hot functions. */
const LONG_TRAINING = 300;

/** The last 50 calls are the steady state. So many calls take long, so only some samples have them. */
const CALLS = 350;
const STEADY_SAMPLES = 4;

type Step = 'load' | 'first' | 'total' | 'cpu' | 'steady';

/** Native code that V8 serialized after a run, and the functions that the run executed. */
interface Training {
  code: Uint8Array;
  executed: Map<number, ExecutedFunction>;
}

interface Sources {
  version: string;
  counts: FunctionCounts;
  /** All functions, compiled ahead of time. */
  full: Uint8Array;
  /** After one call. */
  short: Training;
  /** After {@link LONG_TRAINING} calls. */
  long: Training;
}

/** The native code for V8, by the label of the variant; undefined: V8 compiles the module. */
const VARIANTS: Readonly<Record<string, (sources: Sources) => Uint8Array | undefined>> = {
  baseline: () => undefined,
  full: ({ full }) => full,
  'A executed': ({ full, version, counts, short }) =>
    trimNativeCode(full, version, counts, new Set(short.executed.keys())),
  'B hot': ({ full, version, counts, short }) => trimNativeCode(full, version, counts, hotFunctions(short)),
  'C hot, rest eager': ({ full, version, counts, short }) =>
    mixNativeCode(full, short.code, version, counts, (index) => {
      const found = short.executed.get(index);
      return found === undefined ? 'lazy' : found.optimised ? 'base' : 'eager';
    }),
  'D hot by run': (sources) => mixHot(sources, sources.short),
  'D hot by 300 calls': (sources) => mixHot(sources, sources.long),
  'H hot lazy, by 300 calls': ({ full, version, counts, short, long }) => {
    const hot = hotFunctions(long);
    const rest = [...short.executed.keys()].filter((index) => !hot.has(index));
    return trimNativeCode(full, version, counts, new Set(rest));
  },
  'G cache after 300 calls': ({ long }) => long.code,
};

/** Uses the run's code for hot functions, and ahead-of-time code for other functions that a startup executes. */
function mixHot({ full, version, counts, short }: Sources, training: Training): Uint8Array | undefined {
  const hot = hotFunctions(training);
  return mixNativeCode(full, training.code, version, counts, (index) =>
    hot.has(index) ? 'other' : short.executed.has(index) ? 'base' : 'lazy',
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
  .option('--samples <n>', 'processes for each variant, besides one warm-up process', '7')
  .option('--json <file>', 'write all samples to a file')
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
        const reference = outcomes['baseline']?.[0] ?? outcome;
        if (!outcome.same || outcome.digest !== reference.digest) {
          throw new Error(`${name}, ${variant}: its results differ from those of the baseline`);
        }
        // The first round warms up: only its digest counts.
        if (round === 1) sampled.length = 0;
        sampled.push(outcome);
      }
    }
    const { short, long, counts } = sources;
    const executed = {
      functions: counts.functions,
      start: short.executed.size,
      hotByRun: hotFunctions(short).size,
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
  if (!full) throw new Error(`${name}: no native code was compiled`);
  const version = full.engine.slice('v8-'.length);
  const { importedFunctions, functions } = readModule(wire, name);
  const counts = { importedFunctions, functions };
  // The native addon maps only artifacts, so the code is read from plain files.
  const job = { workload: name, wire: join(folder, 'wire') };
  await writeFile(job.wire, wire);
  const train = async (calls: number): Promise<Training> => {
    const serialize = join(folder, 'trained');
    const { tieredUp } = await runNative(node, { ...job, calls, serialize });
    const code = await readFile(serialize);
    const executed = findExecuted(code, version, counts, new Set(tieredUp));
    if (!executed) throw new Error(`the layout of native code of V8 ${version} is unknown`);
    return { code, executed: new Map(executed.map((found) => [found.index, found])) };
  };
  return { job, version, counts, full: full.bytes, short: await train(1), long: await train(LONG_TRAINING) };
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
    return `| ${variant} | ${((sizes[variant] ?? 0) / 2 ** 20).toFixed(1)} | ${cells.join(' | ')} |`;
  });
  const { functions, start, hotByRun, hotByCalls } = executed;
  return [
    `\n${title}: ${start} of ${functions} functions executed, ${hotByRun} hot, ${hotByCalls} after ${LONG_TRAINING} calls`,
    `| variant | MiB | ${steps.join(' | ')} |`,
    `| --- | --- | ${steps.map(() => '---').join(' | ')} |`,
    ...lines,
  ].join('\n');
}

/** Formats the median, and the minimum, because other work on the machine only adds time. */
function spread(values: readonly number[]): string {
  const sorted = values.toSorted((one, other) => one - other);
  const [median = 0, smallest = 0] = [sorted[Math.floor(sorted.length / 2)], sorted[0]];
  return `${median.toPrecision(3)} (${smallest.toPrecision(3)})`;
}
