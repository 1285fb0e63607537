/** Builds modules in each of their modes: what that costs, and the programs to measure. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import type { BenchBuild } from '../../src/report/data.ts';
import { messageOf } from '../../src/error.ts';
import type { BuiltPrograms } from '../support/cases.ts';
import { isInstalled } from '../support/nodes.ts';
import { summarize } from '../support/program.ts';
import { estimateTimeLeft } from '../support/time-left.ts';
import { runTypeScript } from '../support/typescript.ts';
import type { BenchContext } from './context.ts';
import type { ModuleFolder } from './modules.ts';

/** What `build.ts` is told. */
export interface BuildJob {
  /** Absolute path of the workload. */
  workload: string;
  mode: BuildMode;
  outDir: string;
  cache: string;
  /** Paths of node executables. */
  targets: readonly string[];
  /** Seconds that the training may take. */
  timeLimit: number;
}

export type BuildMode = BenchBuild['mode'];

/** What `build.ts` prints. */
const factsSchema = v.object({
  seconds: v.number(),
  outputSize: v.number(),
  nativeSize: v.number(),
  warnings: v.array(v.string()),
});

export type BuildFacts = v.InferOutput<typeof factsSchema>;

/** Of every build's output. */
export const PROGRAM = 'measure.js';

const BUILD = fileURLToPath(new URL('build.ts', import.meta.url));

/** Seconds for a build, on top of the training: compiling a very large module takes minutes for each target. */
const TIME_LIMIT = 30 * 60;

export interface BuiltModule {
  module: ModuleFolder;
  programs: BuiltPrograms;
  builds: BenchBuild[];
}

/** One after another: compiling uses every core by itself. */
export async function buildModules(
  modules: readonly ModuleFolder[],
  context: BenchContext,
): Promise<BuiltModule[]> {
  const built: BuiltModule[] = [];
  // What takes long is compiling.
  const left = estimateTimeLeft(modules.reduce((sum, { wasmSize }) => sum + wasmSize, 0));
  for (const module of modules) {
    const { name, wasmSize } = module;
    context.progress.update(`Building ${name}, ${built.length} of ${modules.length}${left.describe()} …`);
    built.push(await buildModule(module, context));
    left.done(wasmSize);
  }
  return built;
}

/** A mode that cannot be built is missing, with the reason. */
async function buildModule(module: ModuleFolder, context: BenchContext): Promise<BuiltModule> {
  const folder = join(context.folder, module.id);
  const cache = join(folder, 'cache');
  await mkdir(folder, { recursive: true });
  const builds: BenchBuild[] = [];
  const targets = context.nodes.filter(isInstalled).map(({ path }) => path);
  const build = (mode: BuildMode, outDir: string = join(folder, mode)) =>
    runBuild({ workload: module.workload, mode, outDir, cache, targets, timeLimit: context.timeLimit });
  const attempt = async (mode: BuildMode, make: () => Promise<BuildCost>) => {
    try {
      const { facts, coldSeconds } = await make();
      const { seconds, outputSize, nativeSize } = facts;
      const cold = coldSeconds === undefined ? {} : { coldSeconds };
      builds.push({ module: module.name, mode, ...cold, cachedSeconds: seconds, outputSize, nativeSize });
      return { file: join(folder, mode, PROGRAM) };
    } catch (error) {
      return { missing: `the build ${messageOf(error)}` };
    }
  };
  const plain = await attempt('plain', async () => {
    const facts = await build('plain');
    // It has no cache.
    return { facts, coldSeconds: facts.seconds };
  });
  const precompiled = await attempt('precompiled', async () => {
    const cold = await build('precompiled', join(folder, 'cold'));
    return { facts: await build('precompiled'), coldSeconds: cold.seconds };
  });
  // With the native code that the build before has made: it would only take as long again.
  const profile = await attempt('profile', async () => {
    const facts = await build('profile');
    const failure = facts.warnings.find((warning) => /\btraining\b/i.test(warning));
    if (failure !== undefined) throw new Error(`was not trained: ${summarize(failure)}`);
    return { facts };
  });
  return { module, programs: { plain, precompiled, profile }, builds };
}

interface BuildCost {
  facts: BuildFacts;
  /** Where it was measured. */
  coldSeconds?: number;
}

async function runBuild(job: BuildJob): Promise<BuildFacts> {
  const options = { timeLimit: TIME_LIMIT + job.timeLimit };
  const { output } = await runTypeScript([BUILD, JSON.stringify(job)], factsSchema, options);
  return output;
}
