/** `npm run bench`, with small modules. Some of them do not do what they should; the bench goes on all the same. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import type { BenchCase, BenchMode, BenchResult } from '../../src/report/data.ts';
import { CHECKOUT, createProject, type Project } from '../support/project.ts';
import { watOfValue } from '../support/wat.ts';

/** @param before the result is given, in some mode */
function moduleFolder(name: string, before = '', result = 'instance.exports.value()') {
  return {
    [`modules/${name}/module.json`]: JSON.stringify({ toolchain: 'wat', wasm: './module.wasm' }),
    [`modules/${name}/module.wasm`]: watOfValue(42),
    [`modules/${name}/workload.js`]: `import init from './module.wasm?init';

const mode = import.meta.env.MODE;

export async function start(stopwatch) {
  const instance = await init();
  stopwatch.lap('load');
  stopwatch.lap('instantiate');
  ${before}
  const result = ${result};
  stopwatch.lap('call');
  return result;
}
`,
  };
}

function runScript(script: string, ...args: string[]) {
  return execa(process.execPath, ['--import', 'tsx', join(CHECKOUT, 'playground/bench', script), ...args], {
    cwd: CHECKOUT,
    reject: false,
  });
}

function bench(...args: string[]) {
  return runScript('run.ts', '--node', 'host', '--rounds', '1', '--parts', 'modules', ...args);
}

let project: Project;

describe('modules that crash, hang or compute something else in one mode', () => {
  let printed: string;
  let exitCode: number | undefined;
  let result: BenchResult;

  const find = (module: string): BenchCase => {
    const found = result.cases.find((each) => each.module === module);
    if (!found) throw new Error(`there is no ${module}`);
    return found;
  };
  const missing = (module: string, mode: BenchMode) => find(module).modes[mode].missing;

  beforeAll(async () => {
    project = await createProject({
      ...moduleFolder('good'),
      ...moduleFolder(
        'dying',
        `if (mode === 'plain') throw new TypeError('out of order');
  if (mode === 'precompiled') process.abort();`,
      ),
      ...moduleFolder('hanging', "while (mode === 'plain');"),
      ...moduleFolder('differing', '', 'mode'),
      ...moduleFolder('unbuildable', "import('./nowhere.wasm?init');"),
      'README.md': '# Title\n\n<!-- bench:start -->\n\nold\n\n<!-- bench:end -->\n\nAfter.\n',
    });
    const modules = ['--modules', project.path('modules'), '--time-limit', '8'];
    const ended = await bench(...modules, '--json', project.path('results/bench.json'));
    ({ stdout: printed, exitCode } = ended);
    if (!existsSync(project.path('results/bench.json'))) throw new Error(ended.stderr);
    result = JSON.parse(await readFile(project.path('results/bench.json'), 'utf8')) as BenchResult;
  });

  it('ends well', () => {
    expect(exitCode).toBe(0);
    expect(result).toMatchObject({ rounds: 1, growth: [], peers: [], missing: [] });
    expect(result.modules).toHaveLength(5);
    expect(result.command).toBe(
      `npm run bench -- --node host --rounds 1 --parts modules --modules ${project.path('modules')} --time-limit 8`,
    );
  });

  it('has a sample for each round of what works', () => {
    const { node, modes } = find('good');
    expect(node).toBe(process.versions.node);
    for (const measured of Object.values(modes)) {
      if (measured.missing !== undefined) throw new Error(measured.missing);
      expect(measured.samples).toHaveLength(1);
      for (const { load, instantiate, call, total, blocked, peakMemory } of measured.samples) {
        expect(load + instantiate + call).toBeCloseTo(total, 6);
        expect(blocked).toBeGreaterThan(0);
        expect(peakMemory).toBeGreaterThan(1e6);
      }
    }
  });

  it('does not count loading in a process that has done it before', () => {
    const { warm } = find('good').modes;
    expect(warm.missing === undefined && warm.samples.map(({ load }) => load)).toEqual([0]);
  });

  it('knows what the builds cost', () => {
    const builds = result.builds.filter(({ module }) => module === 'good');
    expect(builds.map(({ mode }) => mode)).toEqual(['plain', 'precompiled', 'profile']);
    for (const { cachedSeconds, outputSize } of builds) {
      expect(cachedSeconds).toBeGreaterThan(0);
      expect(outputSize).toBeGreaterThan(0);
    }
  });

  it('says how a process died', () => {
    expect(missing('dying', 'plain')).toBe('ended with exit code 1: TypeError: out of order');
    expect(missing('dying', 'precompiled')).toBe('ended with SIGABRT');
  });

  it('says that a process hung', () => {
    expect(missing('hanging', 'plain')).toBe('did not end within 8 s');
  });

  it('says that a result is another one', () => {
    expect(missing('differing', 'plain')).toBeUndefined();
    for (const mode of ['precompiled', 'profile'] as const) {
      expect(missing('differing', mode)).toBe('the result is another one than that of plain');
    }
  });

  it('says why a build failed', () => {
    for (const mode of ['plain', 'precompiled', 'unsplit', 'profile', 'warm'] as const) {
      expect(missing('unbuildable', mode)).toMatch(/^the build ended with exit code 1: .*nowhere\.wasm/);
    }
  });

  it('measures the other modes of a module all the same', () => {
    expect(missing('dying', 'profile')).toBeUndefined();
    for (const mode of ['precompiled', 'unsplit', 'profile', 'warm'] as const) {
      expect(missing('hanging', mode)).toBeUndefined();
    }
  });

  it('prints what is missing below the table', () => {
    const { node } = process.versions;
    expect(printed).toContain(`Missing, plain: hanging on Node ${node}: did not end within 8 s`);
    expect(printed).toContain(`Missing, precompiled: dying on Node ${node}: ended with SIGABRT`);
  });

  it('gives the README its figures', async () => {
    const { exitCode: code, stderr } = await runScript(
      'readme.ts',
      project.path('results/bench.json'),
      project.path('README.md'),
    );
    expect([code, stderr]).toEqual([0, '']);
    const readme = (await project.read('README.md')).toString();
    expect(readme).toMatch(/^# Title\n\n<!-- bench:start -->\n\n\| times better than plain/);
    expect(readme).toMatch(/\| hanging \(\d+ B\), first result +\| \*\*–\*\* \(–\)/);
    expect(readme).toContain(result.machine);
    expect(readme).toMatch(/<!-- bench:end -->\n\nAfter\.\n$/);
  });
});

describe('a module that works in no mode', () => {
  it('makes the bench fail, with the reason', async () => {
    const { path } = await createProject(moduleFolder('broken', "throw new RangeError('never');")).then(
      (made) => ({ path: made.path('modules') }),
    );
    const { exitCode, stdout, stderr } = await bench('--modules', path);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/Missing, .*RangeError: never/);
    expect(stderr).toContain('bench: nothing could be measured');
  });
});

describe('wrong usage', () => {
  const cases: [args: string[], message: RegExp][] = [
    [['--node', '17'], /unknown Node version "17": expected host or one of 20\.19, 22, 24, 26/],
    [['--module', 'foo'], /unknown module "foo": expected .*\bsql\.js\b/],
    [['--modules', 'src'], /src: expected folders with a module\.json/],
    [['--parts', 'all'], /Expected some of modules, growth, peers/],
    [['--rounds', '0'], /Expected a whole number, 1 or more/],
    [['--fast'], /unknown option '--fast'/],
  ];
  it.each(cases)('%j ends with exit code 2 and says why', async (args, message) => {
    const { exitCode, stdout, stderr } = await runScript('run.ts', ...args);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(message);
    expect(stdout).toBe('');
  });

  it('names the file of a module that is not described as it should be', async () => {
    const { path } = await createProject({ 'modules/odd/module.json': '{ "wasm": 1 }' }).then((made) => ({
      path: made.path('modules'),
    }));
    const { exitCode, stderr } = await runScript('run.ts', '--modules', path);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('odd/module.json: ');
  });

  it('has a help', async () => {
    const { exitCode, stdout } = await runScript('run.ts', '--help');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('--quick');
  });
});
