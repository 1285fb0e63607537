/** `wasm-precompile report`: writes a page about a build, a startup of its program, or a benchmark. */
import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Command } from 'commander';
import { messageOf, WasmPrecompileError } from '../../common/error.ts';
import { findArtifacts, type FoundArtifacts } from '../../report/find-artifacts.ts';
import { readBench } from '../../report/bench-file.ts';
import type { ReportData } from '../../report/report-data.ts';
import { describeMachine, today } from '../../report/machine.ts';
import { measureStartups, type MeasuredStartups } from '../../report/measure-startups.ts';
import { REPORT_NAME, writeReport } from '../../report/write-report.ts';
import { listenForInterruption } from '../../train/interruption.ts';
import { parseTimeLimit } from '../parse-time-limit.ts';

interface ReportFlags {
  output?: string;
  bench?: string;
  timeLimit?: string;
  json?: true;
}

/** The subject of the page: at least one of the first two. */
interface Subject {
  folder?: string | undefined;
  bench?: string | undefined;
  /** The arguments after `--`. */
  command?: string[] | undefined;
}

export function reportCommand(): Command {
  return new Command('report')
    .description('write an HTML page about the artifacts of a build, and about a startup of its program')
    .usage('[options] <folder> [-- <command...>]')
    .argument('[folder]', 'output folder of a build')
    .argument('[command...]', 'program to run once, after `--`: the startup of its modules is measured')
    .option('-o, --output <file>', `file of the page (default: ${REPORT_NAME} beside the folder)`)
    .option('--bench <file>', 'show the result of `npm run bench -- --json`')
    .option('--time-limit <seconds>', 'time limit after which the command is ended')
    .option('--json', 'print the data of the page as JSON; output of the command goes to standard error')
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
    startups: started?.startups ?? [],
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
    `${started.failure} The report shows what was measured until then.`,
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
      `Expected one folder, found ${[folder, ...others].join(', ')}. Give a command after \`--\`.`,
    );
  }
  if (command?.length === 0) throw misuse('Expected a command after `--`, found nothing.');
  if (folder === undefined && (bench === undefined || command)) {
    throw misuse('Expected a folder: the output of a build.');
  }
  return { folder, bench, command };
}

/** Beside the folder and not in it, because the folder is deployed. */
function defaultOutput({ folder, bench }: Subject): string {
  if (folder !== undefined) return join(dirname(resolve(folder)), REPORT_NAME);
  return `${(bench ?? '').replace(/\.json$/, '')}.html`;
}

/** @throws WasmPrecompileError `UNREADABLE_FILE`; `NO_ARTIFACTS` if there is nothing to show */
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
    `${folder} contains no readable artifact.${damaged} Give the output folder of a server build with the plugin. Modules ` +
      'smaller than the option `threshold` are not precompiled.',
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
