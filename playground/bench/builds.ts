/** Builds modules in each mode, and measures the cost of the builds. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import type { BenchBuild } from '../../src/report/report-data.ts';
import { messageOf } from '../../src/common/error.ts';
import type { BuiltPrograms } from '../support/cases.ts';
import { isInstalled } from '../support/nodes.ts';
import { summarize } from '../support/program.ts';
import { estimateTimeLeft } from '../support/time-left.ts';
import { runTypeScript } from '../support/typescript.ts';
import type { BenchContext } from './context.ts';
import type { ModuleFolder } from './modules.ts';

/** The argument of `build.ts`. */
export interface BuildJob {
  /** Absolute path of the workload. */
  workload: string;
  /** Packages that are not bundled. */
  external: readonly string[];
  mode: BuildMode;
  outDir: string;
  cache: string;
  /** Paths of node executables. */
  targets: readonly string[];
  /** Time limit of the training run, in seconds. */
  timeLimit: number;
}

export type BuildMode = BenchBuild['mode'] | 'unsplit';

/** The output of `build.ts`. */
const factsSchema = v.object({
  seconds: v.number(),
  outputSize: v.number(),
  nativeSize: v.number(),
  warnings: v.array(v.string()),
});

export type BuildFacts = v.InferOutput<typeof factsSchema>;

/** File name of the program in each build's output. */
export const PROGRAM = 'measure.js';

const BUILD = fileURLToPath(new URL('build.ts', import.meta.url));

/** Seconds for a build, besides the training run: compiling a very large module takes minutes for each target. */
const TIME_LIMIT = 30 * 60;

export interface BuiltModule {
  module: ModuleFolder;
  programs: BuiltPrograms;
  builds: BenchBuild[];
}

/** Builds sequentially, because compiling uses all cores. */
export async function buildModules(
  modules: readonly ModuleFolder[],
  context: BenchContext,
): Promise<BuiltModule[]> {
  const built: BuiltModule[] = [];
  // Compilation takes most of the time, and depends on the size.
  const left = estimateTimeLeft(modules.reduce((sum, { wasmSize }) => sum + wasmSize, 0));
  for (const module of modules) {
    const { name, wasmSize } = module;
    context.progress.update(`Building ${name}, ${built.length} of ${modules.length}${left.describe()} …`);
    built.push(await buildModule(module, context));
    left.done(wasmSize);
  }
  return built;
}

/** If the build of a mode fails, its result is missing, with the reason. */
async function buildModule(module: ModuleFolder, context: BenchContext): Promise<BuiltModule> {
  const folder = join(context.folder, module.id);
  await mkdir(folder, { recursive: true });
  const builds: BenchBuild[] = [];
  const targets = context.nodes.filter(isInstalled).map(({ path }) => path);
  const build = ({ mode, output, cache }: { mode: BuildMode; output: string; cache: string }) => {
    const { workload, external } = module;
    const { timeLimit } = context;
    const [outDir, cacheFolder] = [join(folder, output), join(folder, `cache-${cache}`)];
    return runBuild({ workload, external, mode, outDir, cache: cacheFolder, targets, timeLimit });
  };
  const buildTwice = async (mode: BenchBuild['mode'], check: (facts: BuildFacts) => void = () => {}) => {
    // Baseline builds have no cache.
    const cold = mode === 'baseline' ? undefined : await build({ mode, output: 'cold', cache: mode });
    const cached = await build({ mode, output: mode, cache: mode });
    check(cached);
    const { seconds, outputSize, nativeSize } = cached;
    const coldSeconds = (cold ?? cached).seconds;
    builds.push({ module: module.name, mode, coldSeconds, cachedSeconds: seconds, outputSize, nativeSize });
  };
  const attempt = async (mode: BuildMode, run: () => Promise<unknown>) => {
    try {
      await run();
      return { file: join(folder, mode, PROGRAM) };
    } catch (error) {
      return { missing: `the build ${messageOf(error)}` };
    }
  };
  const baseline = await attempt('baseline', () => buildTwice('baseline'));
  const precompiled = await attempt('precompiled', () => buildTwice('precompiled'));
  const profile = await attempt('profile', () => buildTwice('profile', checkTrained));
  // Its build cost is not measured: it differs from `profile` only by the cost of splitting.
  const unsplit = await attempt('unsplit', async () =>
    checkTrained(await build({ mode: 'unsplit', output: 'unsplit', cache: 'profile' })),
  );
  return { module, programs: { baseline, precompiled, unsplit, profile }, builds };
}

function checkTrained({ warnings }: BuildFacts): void {
  const failure = warnings.find((warning) => /\btraining\b/i.test(warning));
  if (failure !== undefined) throw new Error(`was not trained: ${summarize(failure)}`);
}

async function runBuild(job: BuildJob): Promise<BuildFacts> {
  const options = { timeLimit: TIME_LIMIT + job.timeLimit };
  const { output } = await runTypeScript([BUILD, JSON.stringify(job)], factsSchema, options);
  return output;
}
