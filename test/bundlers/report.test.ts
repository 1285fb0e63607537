/** The option `report`: an HTML page about the artifacts of a build. */
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { rollup } from 'rollup';
import type { Options } from 'unplugin-wasm-precompile';
import rollupPlugin from 'unplugin-wasm-precompile/rollup';
import { describe, expect, test } from 'vitest';
import { readReport } from '../report/read.ts';
import { build, buildClient, BUNDLERS, type CommonPlugin } from '../support/bundlers.ts';
import { createProject, type Project, SHARED_CACHE } from '../support/project.ts';
import { watOf } from '../support/profiled-module.ts';
import { watOfValue } from '../support/wat.ts';

const FILES = {
  'one.wasm': watOf(),
  'two.wasm': watOfValue(2),
  'main.js': `
    import { start } from './one.wasm';
    import init from './two.wasm?init';
    console.log(JSON.stringify([start(), (await init()).exports.value()]));
  `,
  'host.js': 'export const seven = () => 7;',
};

const NAME = 'wasm-precompile-report.html';

function listen(): { plugins: CommonPlugin[]; infos: string[] } {
  const infos: string[] = [];
  const onLog = (level: string, { message, plugin }: { message: string; plugin?: string | undefined }) => {
    if (level === 'info' && plugin === 'unplugin-wasm-precompile') infos.push(message);
    return undefined;
  };
  return { plugins: [{ name: 'listener', onLog }], infos };
}

const reportsIn = async (project: Project) =>
  (await project.list()).filter((file) => file.endsWith('.html') || file.endsWith('.tmp'));

describe.each(BUNDLERS)('%s', (bundler) => {
  test('writes the report beside the output and prints its path with `report: true`', async () => {
    const project = await createProject(FILES);
    const { plugins, infos } = listen();
    const built = await build(bundler, project, { plugins, plugin: { report: true } });
    expect(built.warnings).toEqual([]);
    expect(await reportsIn(project)).toEqual([NAME]);
    const file = project.path(NAME);
    expect(infos).toHaveLength(1);
    expect(infos[0]).toMatch(/2 modules: .*; report: /);
    expect(infos[0]?.endsWith(`; report: ${relative(process.cwd(), file)}`)).toBe(true);
    const { title, artifacts, startups, bench } = await readReport(file);
    expect({ title, startups, bench }).toEqual({
      title: 'WebAssembly in out',
      startups: [],
      bench: undefined,
    });
    expect(artifacts.map(({ file: path }) => path).toSorted()).toEqual(built.artifacts);
    for (const { file: path, size } of artifacts) {
      expect((await readFile(join(built.dir, path))).length).toBe(size);
    }
  });

  test('reports the trimmed artifacts after training', async () => {
    const project = await createProject({ ...FILES, 'train.mjs': `await import('./out/main.js');` });
    const train = [process.execPath, project.path('train.mjs')];
    const path = project.path('pages/wasm.html');
    const built = await build(bundler, project, { plugin: { report: path, profile: { train } } });
    expect(built.warnings).toEqual([]);
    expect(await reportsIn(project)).toEqual(['pages/wasm.html']);
    const { artifacts } = await readReport(path);
    expect(artifacts.map(({ file }) => file).toSorted()).toEqual(built.artifacts);
    const one = artifacts.find(({ name }) => name === 'one');
    expect(one?.native).toMatchObject([{ functions: 3, compiled: 2, executed: 2 }]);
  });

  test('writes no report by default', async () => {
    const project = await createProject(FILES);
    const { plugins, infos } = listen();
    await build(bundler, project, { plugins });
    expect(await reportsIn(project)).toEqual([]);
    expect(infos[0]).not.toContain('report');
  });
});

test('a report omits artifacts of earlier builds in the same folder', async () => {
  const project = await createProject(FILES);
  const before = await build('rollup', project);
  await project.write({ 'two.wasm': watOfValue(3) });
  const after = await build('rollup', project, { plugin: { report: true } });
  expect(after.artifacts).toHaveLength(before.artifacts.length + 1);
  const { artifacts } = await readReport(project.path(NAME));
  expect(artifacts).toHaveLength(2);
  expect(artifacts.filter(({ file }) => !before.artifacts.includes(file))).toHaveLength(1);
});

test('a report includes all outputs of a build', async () => {
  const project = await createProject({
    ...FILES,
    'main.js': `import init from './two.wasm?init'; init().then(({ exports }) => console.log(exports.value()));`,
  });
  const options: Options = { cache: SHARED_CACHE, threshold: 0, report: true };
  const bundle = await rollup({ input: project.path('main.js'), plugins: [rollupPlugin(options)] });
  await bundle.write({ dir: project.path('esm'), format: 'es' });
  await bundle.write({ dir: project.path('cjs'), format: 'cjs' });
  await bundle.close();
  const { artifacts } = await readReport(project.path(NAME));
  expect(artifacts.map(({ file }) => file.split('/', 1)[0])).toEqual(['esm', 'cjs']);
});

test('a build without artifacts writes no report', async () => {
  const project = await createProject({
    'index.html': '<script type="module" src="main.js">',
    'two.wasm': FILES['two.wasm'],
    'main.js': `import init from './two.wasm?init'; init();`,
  });
  const { plugins, infos } = listen();
  await buildClient(project, { plugins, plugin: { report: true } });
  expect(await reportsIn(project)).not.toContain(NAME);
  expect(infos).toEqual([expect.stringMatching(/compiled in the browser\)$/)]);
});

test('a build warns about a report that cannot be written', async () => {
  const project = await createProject(FILES);
  const plugin = { report: project.path('main.js/report.html') };
  const { warnings, artifacts } = await build('rollup', project, { plugin });
  expect(warnings).toEqual([
    expect.stringMatching(/Failed to write the report: .*main\.js\/report\.html: cannot be written/),
  ]);
  expect(artifacts).toHaveLength(2);
});
