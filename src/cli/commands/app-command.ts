/** `wasm-precompile app`: precompiles the modules of a program that no bundler builds. */
import { relative, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { type AppResult, writeApp } from '../../app/write-app.ts';
import { createPipeline } from '../../build/compile/pipeline.ts';
import { createProgress } from '../../build/compile/progress.ts';
import { resolveOptions } from '../../build/options/resolve.ts';
import { messageOf, WasmPrecompileError } from '../../common/error.ts';
import { formatBytes } from '../../common/format-bytes.ts';
import { NAME } from '../../common/version.ts';
import { warnOnce } from '../../common/warn-once.ts';
import { APP_FOLDER } from '../../runtime/node/register/app-index.ts';
import { listenForInterruption } from '../../train/interruption.ts';
import { describeFailure, makeProfiles } from '../../train/outcome.ts';
import { trainRepeatedly } from '../../train/repeat.ts';
import { CPU_LEVELS, type CpuLevel } from '../../v8/cpu.ts';
import { formatTable } from '../format-table.ts';
import { parseRuns } from '../parse-runs.ts';
import { parseTimeLimit } from '../parse-time-limit.ts';
import { warn } from '../warn.ts';

interface AppFlags {
  output: string;
  target: string[];
  cpu?: CpuLevel;
  threshold: string;
  runs?: string;
  timeLimit?: string;
  cache: string | false;
  json?: true;
}

export function appCommand(): Command {
  return new Command('app')
    .description('run a program that no bundler builds, and precompile each module that it compiles')
    .usage('[options] -- <command...>')
    .argument('<command...>', 'command to run: `node app.js`')
    .option('-o, --output <dir>', 'folder for the results, beside the program or above it', APP_FOLDER)
    .option('-t, --target <node...>', "'host', or paths of node executables to compile for", ['host'])
    .addOption(new Option('--cpu <level>', 'CPU level to compile for').choices([...CPU_LEVELS]))
    .option('--threshold <bytes>', 'modules with fewer bytes are not precompiled', '262144')
    .option('--runs <n>', 'number of runs, for programs whose runs execute different functions')
    .option('--time-limit <seconds>', 'time limit of each run, after which the command is ended')
    .option('--cache <dir>', 'cache folder for native code', 'node_modules/.cache/wasm-precompile')
    .option('--no-cache', 'compile without a cache')
    .option('--json', 'print the result as JSON; output of the command goes to standard error')
    .passThroughOptions()
    .action(precompileApp);
}

async function precompileApp(command: string[], flags: AppFlags): Promise<void> {
  const options = resolveOptions({
    targets: flags.target,
    ...(flags.cpu !== undefined && { cpu: flags.cpu }),
    threshold: Number(flags.threshold),
    strip: false,
    cache: flags.cache,
  });
  const timeLimit = parseTimeLimit(flags.timeLimit);
  const runs = flags.runs === undefined ? undefined : parseRuns(flags.runs);
  const interruption = listenForInterruption();
  let result;
  try {
    const { last, stopped } = await trainRepeatedly(command, {
      runs,
      timeLimit,
      output: flags.json ? 'stderr' : 'inherit',
      ...interruption.options,
    });
    if (stopped !== undefined) warn(messageOf(stopped));
    ({ result } = last);
  } finally {
    interruption.stop();
  }
  const { profiles, problems } = makeProfiles(result);
  for (const problem of problems) warn(problem);
  const failure = describeFailure(command, result, profiles.length);
  if (failure !== undefined) throw new WasmPrecompileError('TRAINING_FAILED', failure);

  const pipeline = createPipeline(options, { warn: warnOnce(warn), progress: createProgress() });
  const folder = resolve(flags.output);
  const written = await writeApp(folder, result.modules, profiles, {
    pipeline,
    threshold: options.threshold,
  });
  if (flags.json) console.log(JSON.stringify({ folder, modules: written }, null, 2));
  else console.log(`${describe(written)}\n${describeUse(written, flags.output)}`);
}

function describe(results: readonly AppResult[]): string {
  return formatTable(
    results.map(({ name, size, functions, reason }) => [
      name,
      formatBytes(size),
      functions
        ? `precompiled, ${functions.compiled} of ${functions.declared} functions`
        : `compiled at startup: ${reason}`,
    ]),
  );
}

function describeUse(results: readonly AppResult[], output: string): string {
  if (!results.some(({ functions }) => functions)) return 'Nothing was written.';
  const folder = relative('', resolve(output)) || '.';
  return `Written to ${folder}. Start the program with it: node --import ${NAME}/register app.js`;
}
