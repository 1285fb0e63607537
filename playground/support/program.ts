/** Runs programs that print one line of JSON, and says in one line how they failed. */
import { stripVTControlCharacters } from 'node:util';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import * as v from 'valibot';

const CHECKOUT = fileURLToPath(new URL('../../', import.meta.url));

/** Folders for temporary files that programs are built in. */
const TEMPORARY = /\bplayground\/bench\/dist\/run-\w+\//g;

/** Of a message, in characters. */
const LIMIT = 300;

/** An executable and its arguments. */
export type Command = readonly [file: string, ...args: string[]];

export interface ProgramOptions {
  env?: Record<string, string | undefined>;
  /** Seconds; then it is killed. */
  timeLimit?: number;
}

/**
 * @returns what the program printed, and what it printed to standard error
 * @throws Error where it fails, hangs or prints anything else
 */
export async function runProgram<Schema extends v.GenericSchema>(
  command: Command,
  schema: Schema,
  { env, timeLimit }: ProgramOptions = {},
): Promise<{ output: v.InferOutput<Schema>; stderr: string }> {
  const [file, ...args] = command;
  const ended = await execa(file, args, {
    env: { NODE_OPTIONS: undefined, ...env },
    reject: false,
    stdin: 'ignore',
    killSignal: 'SIGKILL',
    ...(timeLimit === undefined ? {} : { timeout: timeLimit * 1000 }),
  });
  const { stdout, stderr, exitCode, signal, timedOut } = ended;
  if (timedOut) throw new Error(`did not end within ${timeLimit} s`);
  if (exitCode === undefined && signal === undefined) {
    throw new Error(summarize(`cannot be started: ${file}, ${ended.code ?? ended.shortMessage}`));
  }
  if (exitCode !== 0) {
    // Of a crash, the native stack says nothing.
    const why = signal === undefined ? summarize(stderr) : clean(stderr).find((line) => TELLING.test(line));
    throw new Error([`ended with ${signal ?? `exit code ${exitCode}`}`, why].filter(Boolean).join(': '));
  }
  const line = stdout.trimEnd().split('\n').at(-1) ?? '';
  try {
    return { output: v.parse(schema, JSON.parse(line)), stderr };
  } catch (cause) {
    throw new Error(`printed no result but: ${summarize(line) || 'nothing'}`, { cause });
  }
}

/** The line of an output that tells most, without this machine's paths; the last one where none tells anything. */
export function summarize(output: string): string {
  const lines = clean(output);
  return shorten(lines.find((line) => TELLING.test(line)) ?? lines.at(-1) ?? '');
}

/** Errors of Node (`TypeError: …`), V8 (`FATAL ERROR: …`, `# Fatal error in …`) and Rolldown (`[UNRESOLVED_IMPORT] …`). */
const TELLING = /^(?:\[?\w*Error\b|Uncaught|#? ?Fatal|FATAL|\[[A-Z_]+\] )|\bError: /;

function clean(output: string): string[] {
  return stripVTControlCharacters(output)
    .replaceAll(CHECKOUT, '')
    .replaceAll(TEMPORARY, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function shorten(line: string): string {
  return line.length > LIMIT ? `${line.slice(0, LIMIT)} …` : line;
}
