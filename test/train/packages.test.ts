/** Training with modules from npm, and with the plugin's output. */
import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { beforeAll, describe, expect, test } from 'vitest';
import { build, BUNDLERS } from '../support/bundlers.ts';
import { createProject, type Project } from '../support/project.ts';
import { wat } from '../support/wat.ts';
import { createProgram, ENDED, executedBy, NODES, train, trainCommand } from './support.ts';

const MATH = wat(`(module
  (func (export "square") (param i32) (result i32) local.get 0 local.get 0 i32.mul)
  (func (export "cube") (param i32) (result i32) local.get 0 local.get 0 i32.mul local.get 0 i32.mul))`);

const SQL = `
import initSqlJs from 'sql.js';
const SQL = await initSqlJs();
const db = new SQL.Database();
db.run('CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 2), (3, 4)');
console.log(JSON.stringify(db.exec('SELECT sum(a * b) FROM t')[0].values));
`;

const RESVG = `
import { readFileSync } from 'node:fs';
import { initWasm, Resvg } from '@resvg/resvg-wasm';
await initWasm(readFileSync(new URL(import.meta.resolve('@resvg/resvg-wasm/index_bg.wasm'))));
const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><circle cx="9" cy="9" r="7"/></svg>';
const resvg = new Resvg(svg);
const picture = resvg.render();
console.log(picture.width);
// Free them explicitly: whether the garbage collector does it before the end differs between runs.
picture.free();
resvg.free();
`;

/**
 * Returns the functions whose compilation V8 traces, which happens at their first call. Combines three runs,
 * because a line is lost when several threads print at the same time.
 */
async function tracedBy(node: string, file: string): Promise<number[]> {
  const runs = [1, 2, 3].map(() => execa(node, ['--trace-wasm-compilation-times', file]));
  const printed = (await Promise.all(runs)).map(({ stdout }) => stdout).join('\n');
  const traced = printed.matchAll(/^Compiled function 0x[0-9a-f]+#(\d+) using Liftoff/gm);
  return [...new Set(Array.from(traced, ([, index]) => Number(index)))].toSorted((x, y) => x - y);
}

describe.each(NODES)('Node $version: records the functions that V8 traces at first calls', ({ node }) => {
  test.each([
    ['sql.js', SQL, '[[14]]\n'],
    ['@resvg/resvg-wasm', RESVG, '20\n'],
  ])('of %s', async (_, program, output) => {
    const project = await createProject({ 'main.mjs': program });
    const result = await train(project, [node, 'main.mjs']);
    expect(result).toMatchObject({ output, exit: ENDED, problems: [] });
    const traced = await tracedBy(node, project.path('main.mjs'));
    expect(traced.length).toBeGreaterThan(100);
    expect(Object.values(executedBy(result))).toEqual([traced]);
  });
});

describe.each(BUNDLERS)("%s: the plugin's output", (bundler) => {
  let project: Project;
  let output: string;
  beforeAll(async () => {
    project = await createProgram({
      'main.js': `
        import load from './sample.wasm?init';
        import { square } from './math.wasm';
        const { exports } = await load({ env: { call() {}, other() {} } });
        exports.escape();
        console.log(square(5));
      `,
      'math.wasm': MATH,
    });
    ({ dir: output } = await build(bundler, project, {
      plugin: { targets: NODES.map(({ node }) => node) },
    }));
  });

  test.each(NODES)('is recorded on Node $version with the names of the sources', async ({ node }) => {
    const result = await train(project, [node, `${output}/main.js`]);
    expect(result).toMatchObject({ output: '25\n', exit: ENDED, problems: [] });
    expect(executedBy(result)).toEqual({ sample: ['escape'], math: [0] });
  });

  test('has the same profile as the source', async () => {
    await trainCommand(project, ['-o', 'from-output', '--', process.execPath, `${output}/main.js`]);
    await project.write({
      'source.mjs': `
        import { readFileSync } from 'node:fs';
        const imports = { env: { call() {}, other() {} } };
        (await WebAssembly.instantiate(readFileSync('sample.wasm'), imports)).instance.exports.escape();
      `,
    });
    await trainCommand(project, ['-o', 'from-source', '--', process.execPath, 'source.mjs']);
    const [fromOutput, fromSource] = await Promise.all(
      ['from-output', 'from-source'].map((folder) =>
        readFile(project.path(folder, 'sample.wasm-profile'), 'utf8'),
      ),
    );
    expect(fromOutput).toBe(fromSource);
  });
});
