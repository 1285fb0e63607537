/** Failures of `wasm-precompile train`: it reports them, and writes the profiles that it has. */
import { EventEmitter, once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { execa } from 'execa';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { CHECKOUT, type Project } from '../support/project.ts';
import { wat } from '../support/wat.ts';
import { createProgram, ENDED, executedBy, isRunning, NODES, train, trainCommand } from './support.ts';

let project: Project;
beforeAll(async () => {
  project = await createProgram({
    'a.cjs': 'console.log(start().a());',
    'nop.cjs': 'start().nop();',
    'nothing.cjs': 'console.log("nothing");',
    'unused.cjs': 'new WebAssembly.Module(bytes);',
    'exit-3.cjs': 'start().a(); process.exit(3);',
    'throw.cjs': 'start().a(); throw new Error("on purpose");',
    'kill.cjs': 'start().a(); process.kill(process.pid, "SIGKILL");',
    'abort.cjs': 'start().a(); process.abort();',
    'stubborn.cjs': `
      start().a();
      for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => console.log(signal));
      setInterval(() => {}, 1000);
      console.log(process.pid);
    `,
    'slow.cjs': `
      start().nop();
      process.on('SIGTERM', () => console.log('SIGTERM'));
      process.on('SIGUSR2', () => process.exit(5));
      setInterval(() => {}, 1000);
      console.log(process.pid);
    `,
    'forever.cjs': `
      const child = require('node:child_process').fork(join(__dirname, 'hang.cjs'), { detached: true, stdio: 'ignore' });
      console.log(child.pid);
      child.on('message', () => { child.disconnect(); child.unref(); });
    `,
    'hang.cjs': 'console.log(start().a()); process.send?.("started"); setInterval(() => {}, 1000);',
    'hang-in-shell.cjs': `
      start().a();
      require('node:child_process').spawn('sh', ['-c', '"$0" hang.cjs; true', process.execPath], { stdio: 'inherit' });
    `,
    'background.cjs': `
      const child = require('node:child_process').fork(join(__dirname, 'short.cjs'), { detached: true, stdio: 'ignore' });
      child.on('message', () => { child.disconnect(); child.unref(); });
    `,
    'short.cjs': 'start().nop(); process.send("started"); setTimeout(() => {}, 500);',
    'starting-alone.cjs': `
      const starting = new WebAssembly.Module(fs.readFileSync(join(__dirname, 'starting-alone.wasm')));
      new WebAssembly.Instance(starting);
    `,
    'starting-posted.cjs': `
      const { Worker } = require('node:worker_threads');
      const starting = new WebAssembly.Module(fs.readFileSync(join(__dirname, 'starting.wasm')));
      new Worker(
        'new WebAssembly.Instance(require("node:worker_threads").workerData, { env: { call() {} } })',
        { eval: true, workerData: starting },
      );
    `,
    'starting-alone.wasm': wat('(module (func $start) (start $start))'),
    'spaces.mjs': `console.log(JSON.stringify(process.argv.slice(2)));`,
    'invalid.cjs': 'attempt(() => new WebAssembly.Module(new Uint8Array(20)));',
  });
});

const node = process.execPath;
const run = (...args: string[]) => trainCommand(project, args);

/** Returns how many functions a run executed, which writes to `merged`. */
async function executed(...args: string[]): Promise<number | undefined> {
  const { stdout } = await run('-o', 'merged', '--json', ...args);
  return (JSON.parse(stdout) as { modules: { executed: number }[] }).modules[0]?.executed;
}

describe('the command', () => {
  test('writes a profile, and prints its path', async () => {
    const { exitCode, stdout, stderr } = await run('-o', 'good', '--', node, 'a.cjs');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toBe('1\nsample  2  of 10 functions  good/sample.wasm-profile');
    const text = (await project.read('good/sample.wasm-profile')).toString();
    expect(text).toMatch(/^functions 2 of 10\n2 [0-9a-f]{16} run "helper"\n3 [0-9a-f]{16} run "a"$/m);
  });

  test('writes to wasm-profiles by default, and prints JSON', async () => {
    const { exitCode, stdout, stderr } = await run('--json', '--', node, 'a.cjs');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '1' });
    expect(JSON.parse(stdout)).toEqual({
      modules: [
        {
          name: 'sample',
          executed: 2,
          optimised: 0,
          functions: 10,
          file: 'wasm-profiles/sample.wasm-profile',
        },
      ],
      exit: { code: 0, timedOut: false, interrupted: false },
      problems: [],
    });
  });

  test('replaces profiles, or merges into them', async () => {
    expect(await executed('--', node, 'a.cjs')).toBe(2);
    expect(await executed('--merge', '--', node, 'nop.cjs')).toBe(1);
    expect((await project.read('merged/sample.wasm-profile')).toString()).toContain('functions 3 of 10');
    expect(await executed('--', node, 'nop.cjs')).toBe(1);
    expect((await project.read('merged/sample.wasm-profile')).toString()).toContain('functions 1 of 10');
  });

  test.each([
    ['with --', ['--', node, '--no-warnings', 'spaces.mjs', '-o', 'x y', '--json']],
    ['without', [node, '--no-warnings', 'spaces.mjs', '-o', 'x y', '--json']],
  ])('passes options to the command, %s', async (_, args) => {
    expect((await run(...args)).stdout).toBe('["-o","x y","--json"]');
  });

  test.each([
    ['no command', [], /missing required argument 'command'/],
    ['no command after --', ['--'], /missing required argument 'command'/],
    ['an unknown option', ['--fast', '--', node, 'a.cjs'], /unknown option '--fast'/],
    [
      'a time limit of 0',
      ['--time-limit', '0', '--', node, 'a.cjs'],
      /--time-limit: expected a number of seconds above 0, .* found "0"/,
    ],
    [
      'a time limit above the maximum of timers',
      ['--time-limit', '2147484', '--', node, 'a.cjs'],
      /--time-limit: expected a number of seconds above 0, at most 2147483 .* found "2147484"/,
    ],
    [
      'a time limit in words',
      ['--time-limit', 'long', '--', node, 'a.cjs'],
      /--time-limit: expected .* found "long"/,
    ],
  ])('exits with code 2 for %s', async (_, args, message) => {
    const { exitCode, stdout, stderr } = await run(...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });

  test.each([
    ['a missing command', ['no-such-command'], /no-such-command cannot be started: .*ENOENT/],
    ['a program that loads no module', [node, 'nothing.cjs'], /loaded no WebAssembly module/],
    ['a program whose module is damaged', [node, 'invalid.cjs'], /loaded no WebAssembly module/],
    ['a program that is not Node', ['true'], /loaded no WebAssembly module/],
    [
      'SIGKILL',
      [node, 'kill.cjs'],
      /kill\.cjs was ended by SIGKILL, so the functions that it executed could not be recorded/,
    ],
    [
      'process.abort',
      [node, 'abort.cjs'],
      /abort\.cjs was ended by SIGABRT, so the functions that it executed could not be recorded/,
    ],
    [
      'a module that cannot be recorded',
      [node, 'starting-alone.cjs'],
      /it has a start function and exports no function[^]*None of the functions that .* could be recorded/,
    ],
    [
      'a module with a start function whose instances are in another thread',
      [node, 'starting-posted.cjs'],
      /it has a start function, and its instances were in another thread or were never created[^]*None of the functions that .* could be recorded/,
    ],
  ])('exits with code 1 and writes no profile for %s', async (_, command, message) => {
    const { exitCode, stderr } = await run('-o', 'none', '--', ...command);
    expect(stderr).toMatch(message);
    expect(exitCode).toBe(1);
    expect(existsSync(project.path('none'))).toBe(false);
  });

  test.each([
    [
      'exit code 3',
      ['exit-3.cjs'],
      [],
      /exit-3\.cjs failed with exit code 3\. The profiles recorded until then are in partly/,
    ],
    [
      'an uncaught error',
      ['throw.cjs'],
      [],
      /Error: on purpose[^]*throw\.cjs failed with exit code 1\. The profiles/,
    ],
    [
      'a hanging program',
      ['hang.cjs'],
      ['--time-limit', '5'],
      /hang\.cjs took longer than its time limit[^]* until then are in partly/,
    ],
    [
      'a program that hangs below a shell',
      ['hang-in-shell.cjs'],
      ['--time-limit', '5'],
      /took longer than its time limit/,
    ],
  ])('exits with code 1 and writes a profile for %s', async (_, command, flags, message) => {
    const { exitCode, stdout, stderr } = await run('-o', 'partly', ...flags, '--', node, ...command);
    expect(stderr).toMatch(message);
    expect(stdout).toContain('sample  2  of 10 functions  partly/sample.wasm-profile');
    expect(exitCode).toBe(1);
  });

  test('writes a profile without functions for a module that never runs', async () => {
    const { exitCode, stdout } = await run('-o', 'unused', '--', node, 'unused.cjs');
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: 'sample  0  of 10 functions  unused/sample.wasm-profile',
    });
  });

  test('fails if the folder cannot be written', async () => {
    const { exitCode, stderr } = await run('-o', 'sample.wasm/x', '--', node, 'a.cjs');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/sample\.wasm\/x/);
  });
});

/** Returns the process ids in a program's output that still run. */
function stillRunning({ output }: { output: string }): number[] {
  const pids = [...output.matchAll(/^\d{2,}$/gm)].map(([pid]) => Number(pid));
  expect(pids).not.toEqual([]);
  return pids.filter(isRunning);
}

/** Milliseconds, by the test's own clock. */
const TIME_LIMIT = 1000;

/** Starts a training run whose time limit and grace period pass only when the test advances its clock. */
function trainUntilReady(command: readonly string[]) {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const lines = new EventEmitter();
  let output = '';
  const result = train(project, command, {
    timeLimit: TIME_LIMIT,
    output(text) {
      output += text;
      lines.emit('more');
    },
  });
  /** Resolves with the first line that matches. */
  const printed = async (line: RegExp) => {
    // Each look follows an event.
    // oxlint-disable-next-line no-await-in-loop
    while (!line.test(output)) await once(lines, 'more');
    return line.exec(output)?.[0] ?? '';
  };
  return { result, ready: printed(/^\d+$/m).then(Number), printed };
}

afterEach(() => {
  vi.useRealTimers();
});

describe('train', () => {
  test('waits for processes that outlive the command', async () => {
    const result = await train(project, [node, 'background.cjs']);
    expect(executedBy(result)).toEqual({ sample: ['nop'] });
  });

  test('ends processes that outlive the command by 5 s, and records them', async () => {
    const result = await train(project, [node, 'forever.cjs']);
    expect(result.exit).toEqual(ENDED);
    expect(result.problems).toEqual([
      expect.stringMatching(/^Process \d+ \(.*hang\.cjs\) still ran 5 s after the command and was ended\.$/),
    ]);
    expect(executedBy(result)).toEqual({ sample: ['helper', 'a'] });
    expect(stillRunning(result)).toEqual([]);
  });

  test.runIf(process.platform === 'linux')(
    'ends processes other than Node that have left the process group',
    async () => {
      const result = await train(project, ['sh', '-c', 'setsid sleep 1000 & echo $! >&1; "$0" a.cjs', node]);
      expect(result.problems).toEqual([expect.stringMatching(/^Process \d+ \(sleep 1000\) still ran 5 s/)]);
      expect(stillRunning(result)).toEqual([]);
    },
  );

  test('kills a process that ignores signals, below a shell that does not, 10 s after the time limit', async () => {
    const training = trainUntilReady(['sh', '-c', '"$0" stubborn.cjs; true', node]);
    const pid = await training.ready;
    vi.advanceTimersByTime(TIME_LIMIT);
    await training.printed(/^SIGTERM$/m);
    vi.advanceTimersByTime(9_999);
    await setImmediate();
    expect(isRunning(pid)).toBe(true);
    vi.advanceTimersByTime(1);
    const result = await training.result;
    expect(result.exit).toMatchObject({ signal: 'SIGTERM', timedOut: true });
    expect(result.problems).toEqual([
      expect.stringMatching(/stubborn\.cjs\): the process ended before it could record/),
    ]);
    expect(isRunning(pid)).toBe(false);
  });

  test('gives a program 10 s to end after its time limit', async () => {
    const training = trainUntilReady([node, 'slow.cjs']);
    const pid = await training.ready;
    vi.advanceTimersByTime(TIME_LIMIT);
    await training.printed(/^SIGTERM$/m);
    vi.advanceTimersByTime(9_999);
    await setImmediate();
    process.kill(pid, 'SIGUSR2');
    const result = await training.result;
    expect(result).toMatchObject({ exit: { code: 5, timedOut: true }, problems: [] });
    expect(executedBy(result)).toEqual({ sample: ['nop'] });
  });

  test('kills all processes at once when `kill` is aborted', async () => {
    let output = '';
    const [interrupt, kill] = [new AbortController(), new AbortController()];
    const result = await train(project, ['sh', '-c', '"$0" stubborn.cjs; true', node], {
      output(text) {
        output += text;
        interrupt.abort('SIGINT');
        kill.abort();
      },
      interrupt: interrupt.signal,
      kill: kill.signal,
    });
    expect(result.exit.interrupted).toBe(true);
    expect(stillRunning({ output })).toEqual([]);
  });

  test.each([
    ['process.exit', 'process.exit(7)', { exitCode: 7 }],
    ['an error', 'throw new Error("on purpose")', { exitCode: 1 }],
  ])('leaves no process if its own process ends by %s', async (_, end, outcome) => {
    const { exitCode, stdout } = await execa(
      node,
      [
        '--input-type=module',
        '-e',
        `
      import { train } from ${JSON.stringify(path.join(CHECKOUT, 'dist/train/train.js'))};
      await train(['sh', '-c', '"$0" stubborn.cjs; true', process.execPath], {
        output(text) { console.log(text); setTimeout(() => { ${end} }); },
      });
    `,
      ],
      { cwd: project.folder, reject: false },
    );
    expect({ exitCode }).toEqual(outcome);
    // No process waits for these processes, so poll.
    await expect.poll(() => stillRunning({ output: stdout }), { timeout: 10_000 }).toEqual([]);
  });

  test('ends a program when `interrupt` is aborted', async () => {
    const controller = new AbortController();
    const result = await train(project, [node, 'hang.cjs'], {
      output: () => controller.abort('SIGTERM'),
      interrupt: controller.signal,
    });
    expect(result.exit).toEqual({ code: undefined, signal: 'SIGTERM', timedOut: false, interrupted: true });
    expect(executedBy(result)).toEqual({ sample: ['helper', 'a'] });
  });

  test('removes its temporary folder', async () => {
    const temporary = await createProgram({
      'kill.cjs': 'start().a(); process.kill(process.pid, "SIGKILL");',
    });
    await temporary.write({ 'tmp/x': '' });
    const { exitCode } = await trainCommand(temporary, ['--', node, 'kill.cjs'], {
      TMPDIR: temporary.path('tmp'),
    });
    expect(exitCode).toBe(1);
    expect(readdirSync(temporary.path('tmp'))).toEqual(['x']);
  });

  test.each(NODES)('records a hundred modules on Node $version', async ({ node: executable }) => {
    const many = await createProgram({
      ...Object.fromEntries(
        Array.from({ length: 100 }, (_, index) => [
          `m${index}.wasm`,
          wat(`(module $m${index} (func (export "f") (result i32) i32.const ${index}) (func (export "g")))`),
        ]),
      ),
      'many.cjs': `
        for (let i = 0; i < 100; i++) {
          const m = new WebAssembly.Module(fs.readFileSync(join(__dirname, 'm' + i + '.wasm')));
          new WebAssembly.Instance(m).exports[i % 2 ? 'f' : 'g']();
        }
      `,
    });
    const result = await train(many, [executable, 'many.cjs']);
    expect(result).toMatchObject({ exit: ENDED, problems: [] });
    expect(executedBy(result)).toEqual(
      Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`m${index}`, [index % 2 ? 0 : 1]])),
    );
  });
});
