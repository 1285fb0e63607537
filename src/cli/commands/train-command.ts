/** `wasm-precompile train`: records startup profiles of a program. */
import { Command } from 'commander';
import { messageOf, WasmPrecompileError } from '../../common/error.ts';
import { readProfiles, writeProfiles } from '../../profile/profile-files.ts';
import type { Profile } from '../../profile/startup-profile.ts';
import { describeAdded, describeFailure, makeProfiles } from '../../train/outcome.ts';
import { listenForInterruption } from '../../train/interruption.ts';
import { type TrainedRun, trainRepeatedly } from '../../train/repeat.ts';
import type { TrainResult } from '../../train/train.ts';
import { formatTable } from '../format-table.ts';
import { parseRuns } from '../parse-runs.ts';
import { parseTimeLimit } from '../parse-time-limit.ts';
import { warn } from '../warn.ts';

interface TrainFlags {
  output: string;
  merge?: true;
  runs: string;
  timeLimit?: string;
  json?: true;
}

/** One line of the result, and one element of `--json`. */
interface RecordedModule {
  name: string;
  /** Executed functions, and how many of them V8 optimised. */
  executed: number;
  optimised: number;
  /** Declared functions. */
  functions: number;
  /** Path of the profile. */
  file: string;
}

export function trainCommand(): Command {
  return new Command('train')
    .description('run a program and record which functions of its modules it executes')
    .usage('[options] -- <command...>')
    .argument('<command...>', 'command to run: `node server.js`, `npx vitest run` …')
    .option('-o, --output <dir>', 'folder for the profiles', 'wasm-profiles')
    .option('--merge', 'merge into existing profiles')
    .option('--runs <n>', 'number of runs, for programs whose runs execute different functions', '1')
    .option('--time-limit <seconds>', 'time limit of each run, after which the command is ended')
    .option('--json', 'print the result as JSON; output of the command goes to standard error')
    .passThroughOptions()
    .action(trainModules);
}

async function trainModules(command: string[], flags: TrainFlags): Promise<void> {
  const timeLimit = parseTimeLimit(flags.timeLimit);
  const runs = parseRuns(flags.runs);
  const interruption = listenForInterruption();
  let result: TrainResult;
  let stopped: unknown;
  try {
    const { last, ...others } = await trainRepeatedly(command, {
      runs,
      timeLimit,
      output: flags.json ? 'stderr' : 'inherit',
      track: async (_, run) => printAdded(await run(), runs),
      ...interruption.options,
    });
    result = last.result;
    stopped = others.stopped;
  } finally {
    interruption.stop();
  }
  const { profiles, problems } = makeProfiles(result);
  const recorded = await write(flags.output, profiles, flags.merge === true);
  if (flags.json) console.log(JSON.stringify({ modules: recorded, exit: result.exit, problems }, null, 2));
  else if (recorded.length > 0) console.log(describe(recorded));
  for (const problem of problems) warn(problem);

  const failure =
    stopped === undefined ? describeFailure(command, result, recorded.length) : messageOf(stopped);
  if (failure === undefined) return;
  const written = recorded.length > 0 ? ` The profiles recorded until then are in ${flags.output}.` : '';
  throw new WasmPrecompileError('TRAINING_FAILED', `${failure}${written}`);
}

/** Prints what each further run has added, so that the user can see whether more runs help. */
function printAdded(run: TrainedRun, runs: number): TrainedRun {
  const added = describeAdded(run);
  if (added !== undefined) console.error(`wasm-precompile: run ${run.number} of ${runs}: ${added}`);
  return run;
}

async function write(folder: string, profiles: Profile[], merge: boolean): Promise<RecordedModule[]> {
  const files = await writeProfiles(folder, profiles, { merge });
  const byModule = new Map<string, string>();
  for (const file of files) for (const { sha256 } of await readProfiles(file)) byModule.set(sha256, file);
  return profiles.map(({ name, sha256, functions, executed }) => ({
    name,
    executed: executed.length,
    optimised: executed.filter(({ optimised }) => optimised).length,
    functions,
    file: byModule.get(sha256) ?? folder,
  }));
}

function describe(recorded: readonly RecordedModule[]): string {
  return formatTable(
    recorded.map(({ name, executed, functions, file }) => [
      name,
      executed,
      `of ${functions} functions`,
      file,
    ]),
  );
}
