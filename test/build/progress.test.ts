/** Progress of long work as it appears in a pseudo terminal, in one with `CI` set, and in a pipe. */
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { execa } from 'execa';
import { beforeAll, describe, expect, test } from 'vitest';
import { CHECKOUT, createProject, type Project } from '../support/project.ts';

/** Delays in milliseconds: shorter than the jobs of the program below, and longer. */
const AT_ONCE = 1;
const NEVER = 1e9;

/** Two concurrent jobs, then one that fails; the argument is the delay before progress is shown. */
const PROGRAM = `
import { createProgress } from ${JSON.stringify(join(CHECKOUT, 'dist/build/compile/progress.js'))};
const [delay, never] = process.argv.slice(2).map(Number);
const progress = createProgress(process.stderr, delay);
// Timers with the same delay fire in the order in which they were set: this one after those of the earlier jobs.
const shown = () => new Promise((resolve) => setTimeout(resolve, delay === never ? 0 : delay));
let done;
const work = new Promise((resolve) => { done = resolve; });
const outcome = (number) => number === 2 ? 'done twice' : undefined;
const jobs = [1, 2].map((number) => progress.track('job ' + number, () => work.then(() => number), outcome));
await shown();
done();
const results = await Promise.all(jobs);
const failure = await progress
  .track('job 3', async () => { await shown(); throw new Error('on purpose'); })
  .catch(({ message }) => message);
console.log(JSON.stringify([...results, failure]));
`;

const RESULT = '[1,2,"on purpose"]';

const TIMES = /: \d+\.\d s(?=$|,)/;

/** Output for a stream that is not a live terminal. */
const LINES = [
  'wasm-precompile: job 1 …',
  'wasm-precompile: job 2 …',
  'wasm-precompile: job 1: 0.0 s',
  'wasm-precompile: job 2: 0.0 s, done twice',
  'wasm-precompile: job 3 …',
  'wasm-precompile: job 3: 0.0 s',
];

let project: Project;
beforeAll(async () => {
  project = await createProject({ 'main.js': PROGRAM });
});

interface Setting {
  delay?: number;
  ci?: string;
}

const environment = ({ ci }: Setting) => ({
  extendEnv: false as const,
  env: { PATH: process.env['PATH'], TERM: 'xterm', ...(ci !== undefined && { CI: ci }) },
});

/** Everything that a terminal receives. */
async function inTerminal(setting: Setting & { columns?: number } = {}): Promise<string> {
  const { delay = AT_ONCE, columns = 80 } = setting;
  const program = [process.execPath, project.path('main.js')].map((path) => `'${path}'`).join(' ');
  const command = `stty cols ${columns}; exec ${program} ${delay} ${NEVER}`;
  const { stdout } = await execa('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    ...environment(setting),
    stdin: 'ignore',
  });
  return stdout;
}

/** Everything that standard error receives if it is a pipe. */
async function inPipe(setting: Setting = {}): Promise<string> {
  const { delay = AT_ONCE } = setting;
  const args = [project.path('main.js'), String(delay), String(NEVER)];
  const { stdout, stderr } = await execa(process.execPath, args, environment(setting));
  expect(stdout).toBe(RESULT);
  return stderr;
}

/** Lines, with every duration replaced by a fixed one. */
const linesOf = (output: string): string[] =>
  output.split(/\r?\n/).map((line) => line.replace(TIMES, ': 0.0 s'));

describe('a terminal', () => {
  test('shows one changing line, and erases it at the end', async () => {
    const output = await inTerminal();
    expect(output).not.toContain('…');
    // The line is erased before each update.
    const shown = output
      .split('\u001B[0K')
      .map((text) => stripVTControlCharacters(text).trim().replace(/^\S /, ''));
    // The spinner may turn any number of times before the text changes.
    expect(shown.filter((text, index) => text !== shown[index - 1])).toEqual([
      'wasm-precompile: job 1',
      'wasm-precompile: job 1, job 2',
      'wasm-precompile: job 2 (1 done)',
      'wasm-precompile: job 3',
      RESULT,
    ]);
    // Only the result ends with a line break.
    expect(output.match(/\n/g) ?? []).toHaveLength(1);
  });

  test('receives plain lines if CI is set', async () => {
    const output = await inTerminal({ ci: 'true' });
    expect(output).toBe(stripVTControlCharacters(output));
    expect(linesOf(output)).toEqual([...LINES, RESULT]);
  });

  test('receives plain lines if it has no size', async () => {
    expect(linesOf(await inTerminal({ columns: 0 }))).toEqual([...LINES, RESULT]);
  });

  test.each([undefined, 'true'])('shows no job that ends before the delay (CI: %s)', async (ci) => {
    expect(linesOf(await inTerminal({ delay: NEVER, ...(ci !== undefined && { ci }) }))).toEqual([RESULT]);
  });
});

describe('a pipe', () => {
  test.each([undefined, 'true'])(
    'receives a line at the start and one at the end of each job (CI: %s)',
    async (ci) => {
      expect(linesOf(await inPipe(ci === undefined ? {} : { ci }))).toEqual(LINES);
    },
  );

  test('receives nothing about jobs that end before the delay', async () => {
    expect(await inPipe({ delay: NEVER })).toBe('');
  });
});
