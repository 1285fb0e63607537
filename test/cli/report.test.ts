/** `wasm-precompile report`, with real builds and their programs. */
import { cp, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ReportData, StartupReport } from '../../src/report/report-data.ts';
import { createBenchResult } from '../report/bench-result.ts';
import { readReport } from '../report/read.ts';
import { build } from '../support/bundlers.ts';
import { ensureNode, NODE_VERSIONS } from '../support/nodes.ts';
import { createProject, type Project, readPackage } from '../support/project.ts';
import { wat, watOfValue } from '../support/wat.ts';
import { cli, type Outcome } from './support.ts';

const MAIN = `
import init from './one.wasm?init';
import initSqlJs from 'sql.js';
import initSql from './sql.wasm?init';
import { twice } from './two.wasm';
const { exports } = await init();
const SQL = await initSqlJs({
  instantiateWasm(imports, done) {
    initSql(imports).then((instance) => done(instance));
    return {};
  },
});
const [{ values }] = new SQL.Database().exec("select sum(value) from json_each('[1,2,39]')");
console.log(JSON.stringify([exports.value(), exports.value(), twice(4), values[0][0]]));
`;

const RESULT = '[1,1,8,42]';

let project: Project;

beforeAll(async () => {
  project = await createProject({
    'one.wasm': watOfValue(1),
    'two.wasm': wat(`(module
      (func (export "twice") (param i32) (result i32) local.get 0 i32.const 2 i32.mul))`),
    'sql.wasm': await readPackage('sql.js/dist/sql-wasm.wasm'),
    'main.js': MAIN,
  });
  const targets = await Promise.all([ensureNode('24'), ensureNode('26')]);
  const built = await build('rollup', project, { plugin: { targets: ['host', ...targets] } });
  expect(built.warnings).toEqual([]);
});

/** Runs the command in the project's folder. */
const report = (...args: string[]) => cli(['report', ...args], { cwd: project.folder });

const readPage = (name = 'wasm-precompile-report.html') => readReport(project.path(name));

const stepsOf = ({ steps }: StartupReport) => steps.map(({ name }) => name);

function expectDone({ exitCode, stderr }: Outcome): void {
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
}

describe('a folder', () => {
  test('gets a page beside it', async () => {
    const outcome = await report('out');
    expectDone(outcome);
    expect(outcome.stdout).toBe(project.path('wasm-precompile-report.html'));
    const data = await readPage();
    expect(data).toMatchObject({
      title: 'WebAssembly in out',
      command: 'wasm-precompile report out',
      startups: [],
    });
    expect(data.artifacts.map(({ name }) => name)).toEqual(['one', 'sql', 'two']);
    const [one, sql] = data.artifacts;
    expect(
      one?.native.map(({ functions, compiled, largest }) => [functions, compiled, largest.length]),
    ).toEqual(Array.from({ length: 3 }, () => [1, 1, 1]));
    expect(sql).toMatchObject({
      file: expect.stringMatching(/^assets\/sql-.*\.elf$/),
      size: (await project.read('out', sql?.file ?? '')).length,
    });
    const sizes = sql?.native[0]?.largest.map(([, size]) => size) ?? [];
    expect(sizes).toHaveLength(400);
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
    // No temporary file is left, and the output folder is unchanged.
    expect((await project.list()).filter((file) => /report|tmp/.test(file))).toEqual([
      'wasm-precompile-report.html',
    ]);
  });

  test('gets a page at the path of --output, and JSON', async () => {
    const outcome = await report('out', '-o', 'reports/one.html', '--json');
    expectDone(outcome);
    const { file, ...data } = JSON.parse(outcome.stdout) as ReportData & { file: string };
    expect(file).toBe(project.path('reports/one.html'));
    expect(data).toEqual(await readPage('reports/one.html'));
  });

  test('shows valid artifacts, and lists damaged ones with the reason', async () => {
    await cp(project.path('out'), project.path('damaged'), { recursive: true });
    const [one = '', sql = ''] = (await project.list('damaged')).filter((file) => file.endsWith('.elf'));
    const bytes = await project.read('damaged', one);
    await writeFile(project.path('damaged', one), bytes.fill(9, 65_540, 65_541));
    await truncate(project.path('damaged', sql), 100_000);
    await writeFile(project.path('damaged/empty.elf'), '');
    // An ELF file that is no artifact.
    await cp('/bin/true', project.path('damaged/true.elf'));
    const { exitCode, stderr } = await report('damaged', '-o', 'damaged.html');
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/^wasm-precompile: warning: assets\/one.*is damaged/m);
    const { artifacts, unreadable } = await readPage('damaged.html');
    expect(artifacts.map(({ name }) => name)).toEqual(['two']);
    expect(unreadable).toEqual([
      { file: one, reason: expect.stringMatching(/section \.wasm is damaged/) },
      { file: sql, reason: expect.stringContaining(sql) },
      { file: 'empty.elf', reason: expect.stringMatching(/empty\.elf/) },
    ]);
  });

  test.each([
    ['that is missing', 'missing', /missing: cannot be read: ENOENT/],
    ['that is a file', 'main.js', /main\.js: cannot be read: it is not a folder/],
    [
      'without artifacts',
      'none',
      /none contains no readable artifact\. Give the output folder of a server build/,
    ],
    [
      'with damaged ones only',
      'bad',
      /bad contains no readable artifact\. x\.elf: .*ELF.*Build it again\. Give/,
    ],
  ])('%s: exits with code 1 and writes no page', async (_, folder, message) => {
    await project.write({ 'none/main.js': '', 'bad/x.elf': 'something else' });
    const { exitCode, stdout, stderr } = await report(folder, '-o', 'no.html');
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^wasm-precompile: /);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(await project.list()).not.toContain('no.html');
  });

  test('exits with code 1 if the page cannot be written', async () => {
    const { exitCode, stderr } = await report('out', '-o', 'main.js/report.html');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/main\.js\/report\.html: cannot be written: /);
  });
});

describe('wrong usage exits with code 2', () => {
  test.each([
    ['no folder', [], /Expected a folder: the output of a build/],
    ['two folders', ['out', 'out'], /Expected one folder, found out, out\. Give a command after `--`/],
    ['no folder, but a command', ['--', 'node', 'out/main.js'], /Expected a folder: the output of a build/],
    ['an empty command', ['out', '--'], /Expected a command after `--`/],
    ['an unknown option', ['out', '--xml'], /unknown option '--xml'/],
    ['a wrong time limit', ['out', '--time-limit', 'soon', '--', 'node'], /--time-limit: expected a number/],
  ])('%s', async (_, args, message) => {
    const { exitCode, stdout, stderr } = await report(...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });
});

describe('a startup', () => {
  test.each(NODE_VERSIONS)('is measured step by step on Node %s', async (version) => {
    const node = await ensureNode(version);
    // The build has two of these as targets, and the node of the tests, which may be another patch release of Node 20.
    const native = version === '24' || version === '26';
    const outcome = await report('out', '--', node, 'out/main.js');
    if (native) expectDone(outcome);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(outcome.stdout.split('\n')).toEqual([RESULT, project.path('wasm-precompile-report.html')]);
    const { startups, notes } = await readPage();
    expect(notes).toEqual([]);
    for (const name of ['one', 'two', 'sql']) {
      const startup = startups.find(({ module }) => module === name);
      expect(startup?.node).toMatch(new RegExp(`^${version}`));
      if (native) expect(startup?.mode).toBe('precompiled');
      expect(startup && stepsOf(startup)).toEqual([
        'map',
        ...(startup?.mode === 'precompiled' ? ['check'] : []),
        'load',
        'instantiate',
        'first call',
      ]);
      for (const { start: from, end } of startup?.steps ?? []) expect(end).toBeGreaterThanOrEqual(from);
      expect(startup?.steps[0]?.start).toBe(0);
    }
    const calls = startups.map(({ steps }) => steps.at(-1)?.detail);
    expect(calls).toEqual(expect.arrayContaining(['value', 'twice']));
  });

  test('prints only JSON to standard output', async () => {
    const { exitCode, stdout, stderr } = await report('out', '--json', '--', process.execPath, 'out/main.js');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: RESULT });
    expect((JSON.parse(stdout) as ReportData).startups).toHaveLength(3);
  });

  test('is measured for modules that the program compiles itself, in the process and in a worker', async () => {
    await project.write({
      'baseline.mjs': `
        import { readFileSync } from 'node:fs';
        import { Worker, isMainThread } from 'node:worker_threads';
        const read = (name) => readFileSync(new URL(name, import.meta.url));
        if (isMainThread) {
          new Worker(new URL(import.meta.url));
          const module = await WebAssembly.compile(read('./one.wasm'));
          new WebAssembly.Instance(module).exports.value();
          await WebAssembly.compile(read('./two.wasm'));
        } else {
          const { instance } = await WebAssembly.instantiate(read('./named.wasm'));
          instance.exports.run();
        }
      `,
      'named.wasm': wat('(module $named (func (export "run")))'),
    });
    const { exitCode } = await report('out', '--', process.execPath, 'baseline.mjs');
    expect(exitCode).toBe(0);
    const { startups, notes = [] } = await readPage();
    const seen = startups.map((startup) => [startup.module, startup.mode, ...stepsOf(startup)]);
    expect(seen.toSorted()).toEqual([
      [expect.stringMatching(/^module of \d+ B$/), 'baseline', 'load', 'instantiate', 'first call'],
      [expect.stringMatching(/^module of \d+ B$/), 'baseline', 'load'],
      ['named', 'baseline', 'load', 'first call'],
    ]);
    expect(notes.toSorted()).toEqual([
      expect.stringMatching(/^module of .*: the thread that loaded it created no instance/),
      expect.stringMatching(/^named: .* one call, so the step `load` includes both/),
    ]);
  });

  test('without modules adds a warning to the page', async () => {
    const { exitCode, stderr } = await report('out', '--', process.execPath, '-e', '1');
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/warning: .* loaded no WebAssembly module that could be observed/);
    expect((await readPage()).startups).toEqual([]);
  });

  test.each([
    [
      'fails',
      `${MAIN} process.exit(3);`,
      [],
      /failed with exit code 3\. The report shows what was measured until then/,
    ],
    [
      'hangs',
      `${MAIN} setInterval(() => {}, 1000);`,
      ['--time-limit', '3'],
      /took longer than its time limit/,
    ],
    ['throws', `${MAIN} throw new Error('no');`, [], /failed with exit code 1/],
  ])('of a program that %s exits with code 1 and writes a page', async (kind, main, args, message) => {
    await project.write({ [`${kind}.js`]: main });
    const { dir } = await build('rollup', project, { entry: `${kind}.js`, output: { dir: kind } });
    const page = `${kind}.html`;
    const { exitCode, stderr } = await report(
      kind,
      '-o',
      page,
      ...args,
      '--',
      process.execPath,
      join(dir, `${kind}.js`),
    );
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(message);
    expect((await readPage(page)).startups).toHaveLength(3);
  });

  test('of a missing command exits with code 1 and writes no page', async () => {
    const { exitCode, stderr } = await report('out', '-o', 'none.html', '--', 'no-such-command');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /no-such-command cannot be started.*wasm-precompile report dist -- node dist\/server\.js/,
    );
    expect(await project.list()).not.toContain('none.html');
  });
});

describe('--bench', () => {
  test('writes a page from the result of a benchmark', async () => {
    const bench = createBenchResult();
    await project.write({ 'bench.json': JSON.stringify(bench) });
    const outcome = await report('--bench', 'bench.json');
    expectDone(outcome);
    expect(outcome.stdout).toBe(project.path('bench.html'));
    const { machine, date, command } = bench;
    expect(await readPage('bench.html')).toMatchObject({ machine, date, command, bench, artifacts: [] });
  });

  test.each([
    ['is missing', undefined, /wrong\.json: cannot be read: ENOENT/],
    ['is no JSON', 'no', /wrong\.json is not the result of a benchmark: .*JSON/],
    [
      'is something else',
      '{"rounds":1}',
      /wrong\.json is not the result of a benchmark: machine: .*npm run bench/,
    ],
  ])('exits with code 1 and the reason for a file that %s', async (_, contents, message) => {
    if (contents !== undefined) await project.write({ 'wrong.json': contents });
    const { exitCode, stdout, stderr } = await report('--bench', 'wrong.json');
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(message);
  });
});
