/** What can go wrong: `wasm-precompile train` says so, and writes what it has. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, test } from 'vitest';
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
      for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {});
      setInterval(() => {}, 1000);
      console.log(process.pid);
    `,
    'slow.cjs': `
      start().nop();
      process.on('SIGTERM', () => setTimeout(() => process.exit(5), 7000));
      setInterval(() => {}, 1000);
    `,
    'forever.cjs': `
      const child = require('node:child_process').fork(join(__dirname, 'hang.cjs'), { detached: true, stdio: 'ignore' });
      console.log(child.pid);
      setTimeout(() => { child.disconnect(); child.unref(); }, 500);
    `,
    'hang.cjs': 'console.log(start().a()); setInterval(() => {}, 1000);',
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

/** How many functions a run that writes to `merged` executed. */
async function executed(...args: string[]): Promise<number | undefined> {
  const { stdout } = await run('-o', 'merged', '--json', ...args);
  return (JSON.parse(stdout) as { modules: { executed: number }[] }).modules[0]?.executed;
}

describe('the command', () => {
  test('writes a profile, and says where', async () => {
    const { exitCode, stdout, stderr } = await run('-o', 'good', '--', node, 'a.cjs');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toBe('1\nsample  2  of 10 functions  good/sample.wasm-profile');
    const text = (await project.read('good/sample.wasm-profile')).toString();
    expect(text).toMatch(/^functions 2 of 10\n2 [0-9a-f]{16} run "helper"\n3 [0-9a-f]{16} run "a"$/m);
  });

  test('has wasm-profiles as its default folder, and prints JSON', async () => {
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

  test('replaces profiles, or adds to them', async () => {
    expect(await executed('--', node, 'a.cjs')).toBe(2);
    expect(await executed('--merge', '--', node, 'nop.cjs')).toBe(1);
    expect((await project.read('merged/sample.wasm-profile')).toString()).toContain('functions 3 of 10');
    expect(await executed('--', node, 'nop.cjs')).toBe(1);
    expect((await project.read('merged/sample.wasm-profile')).toString()).toContain('functions 1 of 10');
  });

  test.each([
    ['with --', ['--', node, '--no-warnings', 'spaces.mjs', '-o', 'x y', '--json']],
    ['without', [node, '--no-warnings', 'spaces.mjs', '-o', 'x y', '--json']],
  ])('leaves the options of the command to it, %s', async (_, args) => {
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
      'a time limit that no timer holds',
      ['--time-limit', '2147484', '--', node, 'a.cjs'],
      /--time-limit: expected a number of seconds above 0, at most 2147483 .* found "2147484"/,
    ],
    [
      'a time limit in words',
      ['--time-limit', 'long', '--', node, 'a.cjs'],
      /--time-limit: expected .* found "long"/,
    ],
  ])('is used wrongly with %s: exit code 2', async (_, args, message) => {
    const { exitCode, stdout, stderr } = await run(...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });

  test.each([
    ['a command that is not there', ['no-such-command'], /no-such-command cannot be started: .*ENOENT/],
    ['a program that loads no module', [node, 'nothing.cjs'], /loaded no WebAssembly module/],
    ['a program whose module is damaged', [node, 'invalid.cjs'], /loaded no WebAssembly module/],
    ['a program that is no node', ['true'], /loaded no WebAssembly module/],
    ['SIGKILL', [node, 'kill.cjs'], /kill\.cjs was ended by SIGKILL: what it executed cannot be recorded/],
    [
      'process.abort',
      [node, 'abort.cjs'],
      /abort\.cjs was ended by SIGABRT: what it executed cannot be recorded/,
    ],
    [
      'a module that cannot be recorded',
      [node, 'starting-alone.cjs'],
      /it has a start function and exports no function[^]*Nothing of what .* could be recorded/,
    ],
    [
      'a module with a start function that only another thread has instances of',
      [node, 'starting-posted.cjs'],
      /it has a start function, and its instances were in another thread[^]*Nothing of what .* could be recorded/,
    ],
  ])('%s: exit code 1 and nothing written', async (_, command, message) => {
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
      /exit-3\.cjs failed with exit code 3\. What was recorded .* written to partly/,
    ],
    [
      'an uncaught error',
      ['throw.cjs'],
      [],
      /Error: on purpose[^]*throw\.cjs failed with exit code 1\. What/,
    ],
    [
      'a hanging program',
      ['hang.cjs'],
      ['--time-limit', '5'],
      /hang\.cjs took longer than its time limit[^]* written to partly/,
    ],
    [
      'a program that hangs below a shell',
      ['hang-in-shell.cjs'],
      ['--time-limit', '5'],
      /took longer than its time limit/,
    ],
  ])('%s: exit code 1, and a profile', async (_, command, flags, message) => {
    const { exitCode, stdout, stderr } = await run('-o', 'partly', ...flags, '--', node, ...command);
    expect(stderr).toMatch(message);
    expect(stdout).toContain('sample  2  of 10 functions  partly/sample.wasm-profile');
    expect(exitCode).toBe(1);
  });

  test('a module that never runs has a profile without functions', async () => {
    const { exitCode, stdout } = await run('-o', 'unused', '--', node, 'unused.cjs');
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: 'sample  0  of 10 functions  unused/sample.wasm-profile',
    });
  });

  test('a folder that cannot be written', async () => {
    const { exitCode, stderr } = await run('-o', 'sample.wasm/x', '--', node, 'a.cjs');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/sample\.wasm\/x/);
  });
});

/** Of the processes whose numbers a program has printed. */
function stillRunning({ output }: { output: string }): number[] {
  const pids = [...output.matchAll(/^\d{2,}$/gm)].map(([pid]) => Number(pid));
  expect(pids).not.toEqual([]);
  return pids.filter(isRunning);
}

describe('train', () => {
  test('waits for processes that outlive the command', async () => {
    const result = await train(project, [node, 'background.cjs']);
    expect(executedBy(result)).toEqual({ sample: ['nop'] });
  });

  test('ends processes that outlive the command for long, and records them', async () => {
    const result = await train(project, [node, 'forever.cjs']);
    expect(result.exit).toEqual(ENDED);
    expect(result.problems).toEqual([
      expect.stringMatching(/^Process \d+ \(.*hang\.cjs\) still ran 5 s after the command, and was ended\.$/),
    ]);
    expect(executedBy(result)).toEqual({ sample: ['helper', 'a'] });
    expect(stillRunning(result)).toEqual([]);
  });

  test.runIf(process.platform === 'linux')(
    'ends what is no node and has left the process group',
    async () => {
      const result = await train(project, ['sh', '-c', 'setsid sleep 1000 & echo $! >&1; "$0" a.cjs', node]);
      expect(result.problems).toEqual([expect.stringMatching(/^Process \d+ \(sleep 1000\) still ran 5 s/)]);
      expect(stillRunning(result)).toEqual([]);
    },
  );

  test('kills, 10 s after its time limit, what ignores signals below a shell that does not', async () => {
    const start = performance.now();
    const result = await train(project, ['sh', '-c', '"$0" stubborn.cjs; true', node], { timeLimit: 1000 });
    expect(performance.now() - start).toBeGreaterThan(11_000);
    expect(result.exit).toMatchObject({ signal: 'SIGTERM', timedOut: true });
    expect(result.problems).toEqual([
      expect.stringMatching(/stubborn\.cjs\): the process ended without a chance/),
    ]);
    expect(stillRunning(result)).toEqual([]);
  });

  test('lets a program end for 10 s after its time limit', async () => {
    const result = await train(project, [node, 'slow.cjs'], { timeLimit: 1000 });
    expect(result).toMatchObject({ exit: { code: 5, timedOut: true }, problems: [] });
    expect(executedBy(result)).toEqual({ sample: ['nop'] });
  });

  test('kills at once when it is told to', async () => {
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
  ])('leaves nothing where its own process ends by %s', async (_, end, outcome) => {
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
    // Nobody is there to wait for it.
    await expect.poll(() => stillRunning({ output: stdout }), { timeout: 10_000 }).toEqual([]);
  });

  test('ends a program when it is told to', async () => {
    const controller = new AbortController();
    const result = await train(project, [node, 'hang.cjs'], {
      output: () => controller.abort('SIGTERM'),
      interrupt: controller.signal,
    });
    expect(result.exit).toEqual({ code: undefined, signal: 'SIGTERM', timedOut: false, interrupted: true });
    expect(executedBy(result)).toEqual({ sample: ['helper', 'a'] });
  });

  test('leaves no folder behind', async () => {
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

  test.each(NODES)('a hundred modules in Node $version', async ({ node: executable }) => {
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
