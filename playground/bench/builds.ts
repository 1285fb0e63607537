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
  await mkdir(folder, { recursive: true });
  const builds: BenchBuild[] = [];
  const targets = context.nodes.filter(isInstalled).map(({ path }) => path);
  const build = async (mode: BuildMode) => {
    const { workload, external } = module;
    const run = (output: string, cache: string) =>
      runBuild({
        workload,
        external,
        mode,
        outDir: join(folder, output),
        cache: join(folder, cache),
        targets,
        timeLimit: context.timeLimit,
      });
    // Plain builds have no cache.
    const cold = mode === 'plain' ? undefined : await run('cold', `cache-${mode}`);
    const cached = await run(mode, `cache-${mode}`);
    return { coldSeconds: (cold ?? cached).seconds, cached };
  };
  const attempt = async (mode: BuildMode, check: (facts: BuildFacts) => void = () => {}) => {
    try {
      const { coldSeconds, cached } = await build(mode);
      check(cached);
      const { seconds, outputSize, nativeSize } = cached;
      builds.push({
        module: module.name,
        mode,
        coldSeconds,
        cachedSeconds: seconds,
        outputSize,
        nativeSize,
      });
      return { file: join(folder, mode, PROGRAM) };
    } catch (error) {
      return { missing: `the build ${messageOf(error)}` };
    }
  };
  const plain = await attempt('plain');
  const precompiled = await attempt('precompiled');
  const seeTrained = ({ warnings }: BuildFacts) => {
    const failure = warnings.find((warning) => /\btraining\b/i.test(warning));
    if (failure !== undefined) throw new Error(`was not trained: ${summarize(failure)}`);
  };
  const unsplit = await attempt('unsplit', seeTrained);
  const profile = await attempt('profile', seeTrained);
  return { module, programs: { plain, precompiled, unsplit, profile }, builds };
}

async function runBuild(job: BuildJob): Promise<BuildFacts> {
  const options = { timeLimit: TIME_LIMIT + job.timeLimit };
  const { output } = await runTypeScript([BUILD, JSON.stringify(job)], factsSchema, options);
  return output;
}
