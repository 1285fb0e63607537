/** Builds modules in each of their modes: what that costs, and the programs to measure. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import type { BenchBuild } from '../../src/report/data.ts';
import { messageOf } from '../../src/common/error.ts';
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
  /** Packages that are not bundled. */
  external: readonly string[];
  mode: BuildMode;
  outDir: string;
  cache: string;
  /** Paths of node executables. */
  targets: readonly string[];
  /** Seconds that the training may take. */
  timeLimit: number;
}

export type BuildMode = BenchBuild['mode'] | 'unsplit';

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
    // Plain builds have no cache.
    const cold = mode === 'plain' ? undefined : await build({ mode, output: 'cold', cache: mode });
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
  const plain = await attempt('plain', () => buildTwice('plain'));
  const precompiled = await attempt('precompiled', () => buildTwice('precompiled'));
  const profile = await attempt('profile', () => buildTwice('profile', seeTrained));
  // What it costs is what splitting costs less.
  const unsplit = await attempt('unsplit', async () =>
    seeTrained(await build({ mode: 'unsplit', output: 'unsplit', cache: 'profile' })),
  );
  return { module, programs: { plain, precompiled, unsplit, profile }, builds };
}

function seeTrained({ warnings }: BuildFacts): void {
  const failure = warnings.find((warning) => /\btraining\b/i.test(warning));
  if (failure !== undefined) throw new Error(`was not trained: ${summarize(failure)}`);
}

async function runBuild(job: BuildJob): Promise<BuildFacts> {
  const options = { timeLimit: TIME_LIMIT + job.timeLimit };
  const { output } = await runTypeScript([BUILD, JSON.stringify(job)], factsSchema, options);
  return output;
}
