/**
 * `npm run bench:levels`: measures the cost of a CPU level. Native code for all functions is compiled for the
 * machine's own CPU, for x86-64-v3 and for x86-64-v2. Each sample runs in a fresh process, the levels in turn.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { formatTable } from '../../src/cli/format-table.ts';
import { resolveOptions } from '../../src/build/options/resolve.ts';
import { createPipeline } from '../../src/build/compile/pipeline.ts';
import { CPU_FEATURES_OFFSET } from '../../src/runtime/shared/v8-header.ts';
import { withHeader } from '../../src/v8/header.ts';
import { describeMachine, today } from '../../src/report/machine.ts';
import { median, pairRatios } from '../../src/report/statistics.ts';
import { type Outcome, runNative } from '../../test/support/native-run.ts';
import { WORKLOADS } from '../../test/support/workloads.js';
import { fail, parseCount } from '../support/arguments.ts';
import { formatSpread } from '../support/figures.ts';
import { chooseNodes } from '../support/nodes.ts';
import { createProgressLine } from '../support/progress.ts';
import { measureInTurn } from '../support/rounds.ts';

const LEVELS = ['host', 'x86-64-v3', 'x86-64-v2'] as const;

/** The last 50 calls are the steady state. */
const CALLS = 350;

interface Settings {
  node: string[];
  module: string[];
  rounds: number;
}

const progress = createProgressLine();
try {
  const { node, module, rounds } = new Command('npm run bench:levels --')
    .description('Measure the cost of a CPU level: the first call, and a call after 300 calls.')
    .option('--node <versions...>', 'Node versions', ['26', '24'])
    .option('--module <names...>', 'modules', Object.keys(WORKLOADS))
    .option('--rounds <n>', 'rounds of processes', parseCount, 11)
    .exitOverride()
    .parse()
    .opts<Settings>();
  const lines: string[][] = [];
  for (const { path, version } of await chooseNodes(node)) {
    for (const name of module) lines.push(await measure(path, version, name, rounds));
  }
  console.log(
    `${formatTable([['module', 'Node', 'host: first, steady (ms)', 'v3/host: first', '', 'steady', '', 'v2/host: first', '', 'steady', ''], ...lines])}\n\n` +
      `Ratios within rounds: median (minimum to maximum); above 1, the level is slower.\nRounds: ${rounds}. ${describeMachine()}, ${today()}.`,
  );
} catch (error) {
  fail('bench:levels', error);
}

async function measure(node: string, version: string, name: string, rounds: number): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'levels-'));
  try {
    const natives = await compileLevels(node, name, folder);
    const candidates = natives.map(
      (native) => () => runNative(node, { workload: name, ...native, calls: CALLS }),
    );
    const outcomes = await measureInTurn(candidates, rounds, progress, `${name}, Node ${version}`);
    const [host = [], ...others] = outcomes.map((outcome) => {
      if (outcome.missing !== undefined) throw new Error(`${name}, Node ${version}: ${outcome.missing}`);
      return outcome.samples;
    });
    const ratios = others.flatMap((samples) =>
      (['first', 'steady'] as const).flatMap((step) =>
        formatSpread(pairRatios(valuesOf(samples, step), valuesOf(host, step))),
      ),
    );
    const [first, steady] = (['first', 'steady'] as const).map((step) =>
      median(valuesOf(host, step)).toFixed(2),
    );
    return [name, version, `${first}, ${steady}`, ...ratios];
  } finally {
    await rm(folder, { recursive: true });
  }
}

function valuesOf(samples: readonly Outcome[], step: 'first' | 'steady'): number[] {
  return samples.map((sample) => sample[step]);
}

/** Writes wire bytes and native code for each level, with the header that this machine's V8 accepts. */
async function compileLevels(
  node: string,
  name: string,
  folder: string,
): Promise<{ wire: string; native: string }[]> {
  const wasm = WORKLOADS[name]?.wasm;
  if (wasm === undefined)
    throw new Error(`unknown module "${name}": expected ${Object.keys(WORKLOADS).join(', ')}`);
  const files = [];
  let running: number | undefined;
  for (const cpu of LEVELS) {
    const pipeline = createPipeline(resolveOptions({ targets: [node], cpu }), {
      warn: (message) => console.error(message),
      progress: { track: (_, job) => job() },
    });
    const { wire, native } = await pipeline.compile(await pipeline.read(wasm));
    const [code] = native;
    if (!code) throw new Error(`${name}: no native code was compiled for ${cpu}`);
    running ??= Buffer.from(code.bytes).readUInt32LE(CPU_FEATURES_OFFSET);
    const file = { wire: join(folder, 'wire'), native: join(folder, cpu) };
    await writeFile(file.wire, wire);
    await writeFile(file.native, withHeader(code.bytes, { cpuFeatures: running, flagHash: undefined }));
    files.push(file);
  }
  return files;
}
