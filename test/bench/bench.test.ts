/** `npm run bench` with small modules. Some of them fail, and the bench continues. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import type { BenchCase, BenchMode, BenchResult } from '../../src/report/report-data.ts';
import { CHECKOUT, createProject, type Project } from '../support/project.ts';
import { watOfValue } from '../support/wat.ts';

/** @param before code that runs before the result is computed, in some mode */
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

describe('with modules that crash, hang or compute another result in one mode, the bench', () => {
  let printed: string;
  let exitCode: number | undefined;
  let result: BenchResult;

  const find = (module: string): BenchCase => {
    const found = result.cases.find((each) => each.module === module);
    if (!found) throw new Error(`no result of ${module}`);
    return found;
  };
  const missing = (module: string, mode: BenchMode) => find(module).modes[mode].missing;

  beforeAll(async () => {
    project = await createProject({
      ...moduleFolder('good'),
      ...moduleFolder(
        'dying',
        `if (mode === 'baseline') throw new TypeError('out of order');
  if (mode === 'precompiled') process.abort();`,
      ),
      ...moduleFolder('hanging', "while (mode === 'baseline');"),
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

  it('succeeds', () => {
    expect(exitCode).toBe(0);
    expect(result).toMatchObject({ rounds: 1, growth: [], peers: [], missing: [] });
    expect(result.modules).toHaveLength(5);
    expect(result.command).toBe(
      `npm run bench -- --node host --rounds 1 --parts modules --modules ${project.path('modules')} --time-limit 8`,
    );
  });

  it('has a sample for each round of a working module', () => {
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

  it('reports no load time in a process that has loaded the module before', () => {
    const { warm } = find('good').modes;
    expect(warm.missing === undefined && warm.samples.map(({ load }) => load)).toEqual([0]);
  });

  it('reports the duration and the output size of builds', () => {
    const builds = result.builds.filter(({ module }) => module === 'good');
    expect(builds.map(({ mode }) => mode)).toEqual(['baseline', 'precompiled', 'profile']);
    for (const { cachedSeconds, outputSize } of builds) {
      expect(cachedSeconds).toBeGreaterThan(0);
      expect(outputSize).toBeGreaterThan(0);
    }
  });

  it('reports the end of a process that crashes', () => {
    expect(missing('dying', 'baseline')).toBe('ended with exit code 1: TypeError: out of order');
    expect(missing('dying', 'precompiled')).toBe('ended with SIGABRT');
  });

  it('reports a process that hangs', () => {
    expect(missing('hanging', 'baseline')).toBe('did not end within 8 s');
  });

  it('reports a result that differs', () => {
    expect(missing('differing', 'baseline')).toBeUndefined();
    for (const mode of ['precompiled', 'profile'] as const) {
      expect(missing('differing', mode)).toBe('the result differs from that of baseline');
    }
  });

  it('reports the error of a build', () => {
    for (const mode of ['baseline', 'precompiled', 'unsplit', 'profile', 'warm'] as const) {
      expect(missing('unbuildable', mode)).toMatch(/^the build ended with exit code 1: .*nowhere\.wasm/);
    }
  });

  it('measures the other modes of a module', () => {
    expect(missing('dying', 'profile')).toBeUndefined();
    for (const mode of ['precompiled', 'unsplit', 'profile', 'warm'] as const) {
      expect(missing('hanging', mode)).toBeUndefined();
    }
  });

  it('prints missing measurements below the table', () => {
    const { node } = process.versions;
    expect(printed).toContain(`Missing, baseline: hanging on Node ${node}: did not end within 8 s`);
    expect(printed).toContain(`Missing, precompiled: dying on Node ${node}: ended with SIGABRT`);
  });

  it('writes the figures of the README', async () => {
    const { exitCode: code, stderr } = await runScript(
      'readme.ts',
      project.path('results/bench.json'),
      project.path('README.md'),
    );
    expect([code, stderr]).toEqual([0, '']);
    const readme = (await project.read('README.md')).toString();
    expect(readme).toMatch(/^# Title\n\n<!-- bench:start -->\n\n\| speedup over the baseline/);
    expect(readme).toMatch(/\| hanging \(\d+ B\), first result +\| \*\*–\*\* \(–\)/);
    expect(readme).toContain(result.machine);
    expect(readme).toMatch(/<!-- bench:end -->\n\nAfter\.\n$/);
  });
});

describe('with a module that fails in all modes, the bench', () => {
  it('fails with the reason', async () => {
    const { path } = await createProject(moduleFolder('broken', "throw new RangeError('never');")).then(
      (made) => ({ path: made.path('modules') }),
    );
    const { exitCode, stdout, stderr } = await bench('--modules', path);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/Missing, .*RangeError: never/);
    expect(stderr).toContain('bench: no result could be measured');
  });
});

describe('with invalid arguments, the bench', () => {
  const cases: [args: string[], message: RegExp][] = [
    [['--node', '17'], /unknown Node version "17": expected host or one of 20\.19, 22, 24, 26/],
    [['--module', 'foo'], /unknown module "foo": expected .*\bsql\.js\b/],
    [['--modules', 'src'], /src: expected folders with a module\.json/],
    [['--parts', 'all'], /Expected some of modules, growth, peers/],
    [['--rounds', '0'], /Expected a whole number, 1 or more/],
    [['--fast'], /unknown option '--fast'/],
  ];
  it.each(cases)('ends with exit code 2 and the reason: %j', async (args, message) => {
    const { exitCode, stdout, stderr } = await runScript('run.ts', ...args);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(message);
    expect(stdout).toBe('');
  });

  it('names the invalid description of a module', async () => {
    const { path } = await createProject({ 'modules/odd/module.json': '{ "wasm": 1 }' }).then((made) => ({
      path: made.path('modules'),
    }));
    const { exitCode, stderr } = await runScript('run.ts', '--modules', path);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('odd/module.json: ');
  });

  it('prints a help text', async () => {
    const { exitCode, stdout } = await runScript('run.ts', '--help');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('--quick');
  });
});
