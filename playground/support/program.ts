/** Runs programs that print one line of JSON, and summarises failures in one line. */
import { stripVTControlCharacters } from 'node:util';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import * as v from 'valibot';

const CHECKOUT = fileURLToPath(new URL('../../', import.meta.url));

/** Temporary folders in which programs are built. */
const TEMPORARY = /\bplayground\/bench\/dist\/run-\w+\//g;

/** Maximum length of a message, in characters. */
const LIMIT = 300;

/** An executable and its arguments. */
export type Command = readonly [file: string, ...args: string[]];

export interface ProgramOptions {
  env?: Record<string, string | undefined>;
  /** Seconds after which the program is killed. */
  timeLimit?: number;
}

/**
 * @returns the parsed output of the program, and its standard error
 * @throws Error if it fails, hangs or prints anything else
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
    // The native stack of a crash is not informative.
    const why =
      signal === undefined ? summarize(stderr) : clean(stderr).find((line) => INFORMATIVE.test(line));
    throw new Error([`ended with ${signal ?? `exit code ${exitCode}`}`, why].filter(Boolean).join(': '));
  }
  const line = stdout.trimEnd().split('\n').at(-1) ?? '';
  try {
    return { output: v.parse(schema, JSON.parse(line)), stderr };
  } catch (cause) {
    throw new Error(`printed no result but: ${summarize(line) || 'nothing'}`, { cause });
  }
}

/** Returns the most informative line of an output, without paths of this machine; the last line if no line is. */
export function summarize(output: string): string {
  const lines = clean(output);
  return shorten(lines.find((line) => INFORMATIVE.test(line)) ?? lines.at(-1) ?? '');
}

/**
 * Errors of Node (`TypeError: …`), V8 (`FATAL ERROR: …`, `# Fatal error in …`) and Rolldown
 * (`[UNRESOLVED_IMPORT] …`).
 */
const INFORMATIVE = /^(?:\[?\w*Error\b|Uncaught|#? ?Fatal|FATAL|\[[A-Z_]+\] )|\bError: /;

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
