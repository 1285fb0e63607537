/** Several runs of one command that executes other functions each time. */
import { chmod } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { RepeatOptions } from '../../src/train/repeat.ts';
import { CHECKOUT, type Project } from '../support/project.ts';
import { createProgram, ENDED, executedBy, FUNCTIONS, trainCommand } from './support.ts';

const { trainRepeatedly } = (await import(path.join(CHECKOUT, 'dist/train/repeat.js'))) as {
  trainRepeatedly: (
    command: readonly string[],
    options: RepeatOptions,
  ) => ReturnType<typeof import('../../src/train/repeat.ts').trainRepeatedly>;
};

/** Each run uses the next argument: names of exports, or one of the cases. The file `runs` counts the runs. */
const PROGRAM = `
const { spawnSync } = require('node:child_process');
const file = join(__dirname, 'runs');
const number = fs.existsSync(file) ? Number(fs.readFileSync(file, 'utf8')) : 0;
fs.writeFileSync(file, String(number + 1));
const step = process.argv.slice(2)[number];
switch (step) {
  case 'nothing':
    break;
  case 'fail':
    start().nop();
    process.exit(3);
  case 'killed child':
    start().a();
    spawnSync(process.execPath, [join(__dirname, 'killed.cjs')]);
    break;
  case 'optimised': {
    const own = start();
    // V8 optimises on a background thread.
    const timer = setInterval(() => { for (let i = 0; i < 20; i++) own.hot(1000000); }, 5);
    setTimeout(() => clearInterval(timer), 600);
    break;
  }
  case 'hang':
    start().nop();
    setInterval(() => {}, 1000);
    break;
  default: {
    const own = start();
    for (const name of step.split('+')) attempt(() => own[name](3));
  }
}
`;

const createSteps = () =>
  createProgram({
    'steps.cjs': PROGRAM,
    'killed.cjs': 'start().a(); process.kill(process.pid, "SIGKILL");',
  });

const command = (steps: readonly string[]) => [process.execPath, 'steps.cjs', ...steps];

const countRuns = async (project: Project) => Number(await project.read('runs'));

async function repeat(steps: readonly string[], options: RepeatOptions = {}) {
  const project = await createSteps();
  const tracked: [number: number, added: number][] = [];
  const { last, before } = await trainRepeatedly(command(steps), {
    cwd: project.folder,
    env: { NODE_OPTIONS: '' },
    output: () => {},
    // Independent of the speed of the machine.
    budget: Number.POSITIVE_INFINITY,
    track: async (number, run) => {
      const result = await run();
      tracked.push([number, result.added]);
      return result;
    },
    ...options,
  });
  expect(await countRuns(project)).toBe(last.number);
  return { last, before, tracked };
}

const A = ['helper', 'a'];
const A_AND_B = ['helper', 'a', 'never', 'b'];

describe('a command is run', () => {
  test.each([
    ['twice if both execute the same', {}, ['a', 'a', 'b'], 2, A],
    [
      'five times if the second executes other functions',
      {},
      ['a', 'b', 'b', 'a', 'nop', 'trap'],
      5,
      [...A_AND_B, 'nop'],
    ],
    [
      'five times if the second executes fewer functions',
      {},
      ['a+b', 'a', 'a', 'a', 'nop'],
      5,
      [...A_AND_B, 'nop'],
    ],
    ['once if that exceeded the time budget', { budget: 0 }, ['a', 'b'], 1, A],
    ['once if `runs` is 1', { runs: 1 }, ['a', 'b'], 1, A],
    ['twice if `runs` is 2', { runs: 2 }, ['a', 'b', 'nop'], 2, A_AND_B],
    ['as often as `runs`, also after a run without new functions', { runs: 3 }, ['a', 'a', 'b'], 3, A_AND_B],
    [
      'as often as `runs`, regardless of the budget',
      { runs: 7, budget: 0 },
      ['a', 'b', 'nop', 'trap', 'escape', 'hot', 'indirect'],
      7,
      Object.keys(FUNCTIONS),
    ],
    ['five times if the second loads no module', {}, ['a', 'nothing', 'a', 'a', 'b'], 5, A_AND_B],
    ['once if it loads no module', { runs: 3 }, ['nothing', 'a'], 1, undefined],
  ])('%s', async (_, options, steps, runs, executed) => {
    const { last } = await repeat(steps, options);
    expect(last).toMatchObject({ number: runs, result: { exit: ENDED, problems: [] } });
    expect(executedBy(last.result)).toEqual(executed === undefined ? {} : { sample: executed });
    expect(last.result.loaded).toBe(executed !== undefined);
  });

  test('no more if it is gone, and keeps the earlier results', async () => {
    const project = await createSteps();
    const script = '#!/bin/sh\n"$NODE" steps.cjs a b\nrm "$0"\n';
    await project.write({ 'once.sh': script });
    await chmod(path.join(project.folder, 'once.sh'), 0o755);
    const { last, stopped } = await trainRepeatedly([path.join(project.folder, 'once.sh')], {
      cwd: project.folder,
      env: { NODE_OPTIONS: '', NODE: process.execPath },
      output: () => {},
      runs: 3,
    });
    expect(last).toMatchObject({ number: 1, result: { exit: ENDED, problems: [] } });
    expect(executedBy(last.result)).toEqual({ sample: A });
    expect(stopped).toMatchObject({ code: 'TRAINING_FAILED', message: expect.stringContaining('once.sh') });
  });

  test('no more after an interruption, also between two runs', async () => {
    const interrupt = new AbortController();
    const { last } = await repeat(['a', 'b'], {
      interrupt: interrupt.signal,
      track: async (_, run) => {
        const result = await run();
        interrupt.abort('SIGINT');
        return result;
      },
    });
    expect(last).toMatchObject({ number: 1, result: { exit: ENDED } });
  });
});

test('each run reports how many functions no earlier run executed', async () => {
  const { tracked } = await repeat(['a', 'b', 'nop', 'a'], { runs: 4 });
  expect(tracked).toEqual([
    [1, 2],
    [2, 2],
    [3, 1],
    [4, 0],
  ]);
});

test.each([
  ['first', ['optimised', 'nop']],
  ['last', ['nop', 'optimised']],
])('keeps the functions that the %s run optimised', async (_, steps) => {
  const { last } = await repeat(steps, { runs: 2 });
  const [module] = last.result.modules;
  expect(module?.executed).toEqual([
    { index: FUNCTIONS.hot, optimised: true },
    { index: FUNCTIONS.nop, optimised: false },
  ]);
  expect(module?.runs.map(({ optimised }) => [...optimised])).toEqual([[FUNCTIONS.hot]]);
});

test('reports a recording failure once', async () => {
  const { last } = await repeat(['killed child', 'killed child'], { runs: 2 });
  expect(last.result.problems).toEqual([expect.stringMatching(/killed\.cjs.*ended before it could record/)]);
});

describe('a run that', () => {
  test.each([
    ['fails', 'fail', { exit: { code: 3 } }],
    ['hangs', 'hang', { exit: { timedOut: true } }],
  ])('%s is the last one, and is separate from the run before', async (_, step, result) => {
    const { last, before } = await repeat(['a', step, 'b'], { runs: 3, timeLimit: 5000 });
    expect(last).toMatchObject({ number: 2, result });
    expect(before).toMatchObject({ number: 1, result: { exit: ENDED } });
    expect(executedBy(last.result)).toEqual({ sample: [...A, 'nop'] });
    expect(before && executedBy(before.result)).toEqual({ sample: A });
  });

  test('fails at once is the only one', async () => {
    const { last, before } = await repeat(['fail', 'a']);
    expect(last).toMatchObject({ number: 1, result: { exit: { code: 3 } } });
    expect(before).toBeUndefined();
  });
});

describe('wasm-precompile train', () => {
  test('runs the command once', async () => {
    const project = await createSteps();
    const { exitCode, stdout, stderr } = await trainCommand(project, ['--', ...command(['a', 'b'])]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^sample {2}2 {2}of 10 functions/);
    expect(await countRuns(project)).toBe(1);
  });

  test('runs the command --runs times, and prints what each run added', async () => {
    const project = await createSteps();
    const { exitCode, stdout, stderr } = await trainCommand(project, [
      '--runs',
      '4',
      '--',
      ...command(['a', 'a', 'b', 'nop']),
    ]);
    expect(exitCode).toBe(0);
    expect(stderr).toBe(
      [
        'wasm-precompile: run 2 of 4: nothing new',
        'wasm-precompile: run 3 of 4: 2 more functions',
        'wasm-precompile: run 4 of 4: 1 more function',
      ].join('\n'),
    );
    expect(stdout).toMatch(/^sample {2}5 {2}of 10 functions/);
  });

  test('stops after a run that fails', async () => {
    const project = await createSteps();
    const { exitCode, stdout, stderr } = await trainCommand(project, [
      '--runs=3',
      '--',
      ...command(['a', 'fail', 'b']),
    ]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      / failed with exit code 3\. The profiles recorded until then are in wasm-profiles/,
    );
    expect(stdout).toMatch(/^sample {2}3 {2}of 10 functions/);
    expect(await countRuns(project)).toBe(2);
  });

  test.each(['0', '-1', '1.5', 'many', ''])(
    '--runs %j: exits with code 2 and runs no command',
    async (runs) => {
      const project = await createSteps();
      const { exitCode, stderr } = await trainCommand(project, ['--runs', runs, '--', ...command(['a'])]);
      expect(exitCode).toBe(2);
      expect(stderr).toContain(
        `--runs: expected a whole number of runs, 1 or more, found ${JSON.stringify(runs)}`,
      );
      expect(await project.list()).not.toContain('runs');
    },
  );
});
