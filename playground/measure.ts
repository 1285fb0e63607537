/**
 * Measures starts: a fresh process for each sample, the builds in turn, all cases in turn, so that a drift of the
 * machine's speed meets each of them alike. One start of each case goes before, to warm up the machine and to see,
 * with the runtime's debug output, what the builds load.
 */
import { execa, ExecaError } from 'execa';
import * as v from 'valibot';
import type { ModuleName } from './app/src/modules/index.ts';
import type { StartTimes } from './app/src/start.ts';
import { type Mode, MODES, outputFile } from './build.ts';
import type { NodeChoice } from './nodes.ts';
import { createProgressLine } from './progress.ts';

export interface Measurement {
  times: StartTimes;
  /** Peak resident set size, in MiB. */
  peakMemory: number;
}

/** One start of each build. */
export type Round = Record<Mode, Measurement>;

export interface Case {
  module: ModuleName;
  node: NodeChoice;
  /** What the builds with the plugin did: `precompiled, mapped`; `compiled` where the artifact holds nothing for this Node. */
  loaded: string;
  /** SHA-256 of the result, which is the same in all builds. */
  digest: string;
  rounds: Round[];
}

/** @throws Error when a process fails, or when the builds' results differ */
export async function measure(
  modules: readonly ModuleName[],
  nodes: readonly NodeChoice[],
  rounds: number,
): Promise<Case[]> {
  const progress = createProgressLine();
  const cases: Case[] = [];
  const total = modules.length * nodes.length;
  const start = performance.now();
  for (const module of modules) {
    for (const node of nodes) {
      progress.update(`Warming up: ${cases.length} of ${total} …`);
      cases.push(await warmUp(module, node));
    }
  }

  // The warm-up took as long as each round will.
  const perRound = (performance.now() - start) / 1000;
  for (let round = 0; round < rounds; round += 1) {
    const left = formatDuration(perRound * (rounds - round));
    progress.update(`Measuring: ${round} of ${rounds} rounds of ${total} cases, about ${left} to go …`);
    for (const one of cases) one.rounds.push(await measureRound(one));
  }
  progress.end();
  return cases;
}

async function warmUp(module: ModuleName, node: NodeChoice): Promise<Case> {
  const debug = { NODE_DEBUG: 'wasm-precompile' };
  const samples = await startAll(module, node, debug);
  const { digest } = samples.plain;
  if (MODES.some((mode) => samples[mode].digest !== digest)) {
    throw new Error(`${module} on Node ${node.version}: the builds' results differ`);
  }
  const [loaded, other] = new Set(
    MODES.filter((mode) => mode !== 'plain').map((mode) => findLoad(samples[mode].stderr)),
  );
  if (loaded === undefined || other !== undefined) {
    const output = MODES.map((mode) => samples[mode].stderr).join('\n');
    throw new Error(
      `${module} on Node ${node.version}: expected one load, the same in each build:\n${output}`,
    );
  }
  return { module, node, loaded, digest, rounds: [] };
}

/** What the debug output says of the one load in it: `precompiled, mapped`. */
function findLoad(stderr: string): string | undefined {
  const loads = [
    ...stderr.matchAll(
      /^WASM-PRECOMPILE .* (?<how>(?:pre)?compiled) \(.*\) \d+ bytes (?<access>mapped|read) /gm,
    ),
  ];
  if (loads.length !== 1) return undefined;
  const { how, access } = loads[0]?.groups ?? {};
  return how === 'precompiled' ? `${how}, ${access}` : how;
}

async function measureRound({ module, node, loaded, digest }: Case): Promise<Round> {
  const samples = await startAll(module, node);
  const { plain, precompiled, trained } = samples;
  if (MODES.some((mode) => samples[mode].digest !== digest)) {
    throw new Error(`${module} on Node ${node.version}: the result changed from one process to the next`);
  }
  // Without debug output, which takes time itself, the warning still tells.
  const { stderr = '' } =
    [precompiled, trained].find((sample) => sample.stderr.includes('WASM_PRECOMPILE_FALLBACK')) ?? {};
  if (loaded !== 'compiled' && stderr !== '') {
    throw new Error(`${module} on Node ${node.version}: not loaded as before:\n${stderr}`);
  }
  return {
    plain: plain.measurement,
    precompiled: precompiled.measurement,
    trained: trained.measurement,
  };
}

async function startAll(
  module: ModuleName,
  node: NodeChoice,
  env: Record<string, string> = {},
): Promise<Record<Mode, Sample>> {
  const plain = await startModule('plain', module, node, env);
  const precompiled = await startModule('precompiled', module, node, env);
  const trained = await startModule('trained', module, node, env);
  return { plain, precompiled, trained };
}

interface Sample {
  measurement: Measurement;
  digest: string;
  stderr: string;
}

/** What `app/src/measure.ts` prints. */
const outputSchema = v.object({
  times: v.object({ load: v.number(), instantiate: v.number(), call: v.number(), total: v.number() }),
  digest: v.string(),
  peakMemory: v.number(),
});

async function startModule(
  mode: Mode,
  module: ModuleName,
  { path, version }: NodeChoice,
  env: Record<string, string>,
): Promise<Sample> {
  try {
    const { stdout, stderr } = await execa(path, [outputFile(mode, 'measure.js'), module], { env });
    const { digest, ...measurement } = v.parse(outputSchema, JSON.parse(stdout));
    return { measurement, digest, stderr };
  } catch (cause) {
    const output = cause instanceof ExecaError ? cause.stderr || cause.shortMessage : String(cause);
    throw new Error(`${module}, ${mode}, on Node ${version} failed: ${output}`, { cause });
  }
}

function formatDuration(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}
