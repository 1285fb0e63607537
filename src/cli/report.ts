/** `wasm-precompile report`: a page about a build, a start of its program, or a benchmark. */
import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Command } from 'commander';
import { messageOf, WasmPrecompileError } from '../common/error.ts';
import { findArtifacts, type FoundArtifacts } from '../report/artifacts.ts';
import { readBench } from '../report/bench-file.ts';
import type { ReportData } from '../report/data.ts';
import { describeMachine, today } from '../report/machine.ts';
import { measureStartups, type MeasuredStartups } from '../report/startups.ts';
import { REPORT_NAME, writeReport } from '../report/write.ts';
import { listenForInterruption } from '../train/interruption.ts';
import { parseTimeLimit } from './run.ts';

interface ReportFlags {
  output?: string;
  bench?: string;
  timeLimit?: string;
  json?: true;
}

/** What the page is about: at least one of the first two. */
interface Subject {
  folder?: string | undefined;
  bench?: string | undefined;
  /** What comes after `--`. */
  command?: string[] | undefined;
}

export function reportCommand(): Command {
  return new Command('report')
    .description('write an HTML page about the artifacts of a build, and about a start of its program')
    .usage('[options] <folder> [-- <command...>]')
    .argument('[folder]', 'the output folder of a build')
    .argument('[command...]', 'after `--`, what to run once: its modules are watched as they start')
    .option('-o, --output <file>', `the page (default: ${REPORT_NAME} beside the folder)`)
    .option('--bench <file>', 'the result of `npm run bench -- --json` to show')
    .option('--time-limit <seconds>', 'for the command; then it is ended')
    .option('--json', 'print what the page shows as JSON; what the command prints goes to standard error')
    .action(report);
}

async function report(_folder: unknown, _command: unknown, flags: ReportFlags, self: Command): Promise<void> {
  const subject = parseSubject(self.args, flags);
  const timeLimit = parseTimeLimit(flags.timeLimit);
  const { folder, command } = subject;
  const output = resolve(flags.output ?? defaultOutput(subject));
  const bench = subject.bench === undefined ? undefined : await readBench(subject.bench);
  const found = folder === undefined ? { artifacts: [], unreadable: [] } : await findIn(folder);
  const started = command && (await runCommand(command, timeLimit, flags));

  const data: ReportData = {
    title: folder === undefined ? 'WebAssembly benchmark' : `WebAssembly in ${basename(resolve(folder))}`,
    machine: bench?.machine ?? describeMachine(),
    date: bench?.date ?? today(),
    command: bench?.command ?? describeCommand(subject),
    ...found,
    starts: started?.starts ?? [],
    notes: started?.notes ?? [],
    ...(bench && { bench }),
  };
  await writeReport(output, data);
  console.log(flags.json ? JSON.stringify({ file: output, ...data }, null, 2) : output);
  for (const { file, reason } of found.unreadable) warn(`${file} is not in the report: ${reason}`);
  for (const note of data.notes ?? []) warn(note);
  if (started?.failure === undefined) return;
  throw new WasmPrecompileError(
    'START_FAILED',
    `${started.failure} What was seen until then is in the report.`,
  );
}

/**
 * @param operands folder and command in one list
 * @throws WasmPrecompileError `INVALID_OPTIONS`
 */
function parseSubject(operands: readonly string[], { bench }: ReportFlags): Subject {
  const separator = process.argv.indexOf('--');
  const command = separator === -1 ? undefined : process.argv.slice(separator + 1);
  const [folder, ...others] = operands.slice(0, operands.length - (command?.length ?? 0));
  if (others.length > 0) {
    throw misuse(
      `One folder is expected, found ${[folder, ...others].join(', ')}. A command comes after \`--\`.`,
    );
  }
  if (command?.length === 0) throw misuse('A command is expected after `--`, found nothing.');
  if (folder === undefined && (bench === undefined || command)) {
    throw misuse('A folder is expected: that which a build has written.');
  }
  return { folder, bench, command };
}

/** Not in the folder: that is what gets deployed. */
function defaultOutput({ folder, bench }: Subject): string {
  if (folder !== undefined) return join(dirname(resolve(folder)), REPORT_NAME);
  return `${(bench ?? '').replace(/\.json$/, '')}.html`;
}

/** @throws WasmPrecompileError `UNREADABLE_FILE`; `NO_ARTIFACTS` where there is nothing to show */
async function findIn(folder: string): Promise<FoundArtifacts> {
  try {
    if (!(await stat(folder)).isDirectory()) throw new Error('it is not a folder');
  } catch (error) {
    throw new WasmPrecompileError('UNREADABLE_FILE', `${folder}: cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const found = await findArtifacts(folder);
  if (found.artifacts.length > 0) return found;
  const damaged = found.unreadable.map(({ reason }) => ` ${reason.replace(/\.$/, '')}.`).join('');
  throw new WasmPrecompileError(
    'NO_ARTIFACTS',
    `${folder} has no artifact that can be read.${damaged} Is it the output of a server build with the plugin? Modules below its ` +
      'option `threshold` are shipped as plain wasm.',
  );
}

async function runCommand(
  command: string[],
  timeLimit: number | undefined,
  { json }: ReportFlags,
): Promise<MeasuredStartups> {
  const interruption = listenForInterruption();
  try {
    return await measureStartups(command, {
      timeLimit,
      output: json ? 'stderr' : 'inherit',
      ...interruption.options,
    });
  } finally {
    interruption.stop();
  }
}

function describeCommand({ folder = '', command }: Subject): string {
  return ['wasm-precompile report', folder, ...(command ? ['--', ...command] : [])].join(' ');
}

function warn(sentence: string): void {
  console.error(`wasm-precompile: warning: ${sentence}`);
}

function misuse(message: string): WasmPrecompileError {
  return new WasmPrecompileError('INVALID_OPTIONS', message);
}
