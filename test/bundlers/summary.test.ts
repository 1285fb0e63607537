/** The summary line for all modules at the end of a build. */
import { describe, expect, test } from 'vitest';
import { createProfile } from '../../src/profile/create.ts';
import { formatProfiles } from '../../src/profile/profile-text.ts';
import { build, buildClient, type BuildOptions, BUNDLERS, listen } from '../support/bundlers.ts';
import { ensureNode } from '../support/nodes.ts';
import { createProject, readPackage } from '../support/project.ts';
import { watOfValue } from '../support/wat.ts';

const PREFIX = /^.*?\d+ modules?: /;

/** Returns the modules of the only line, sorted. */
function modulesOf(infos: readonly string[]): string[] {
  expect(infos).toHaveLength(1);
  return (infos[0] ?? '')
    .replace(PREFIX, '')
    .split(/(?<=\)), /)
    .toSorted();
}

const HOST = `node ${process.versions.node}`;

describe.each(BUNDLERS)('%s', (bundler) => {
  test('lists precompiled, compiled and inlined modules once each', async () => {
    const project = await createProject({
      'large.wasm': await readPackage('sql.js/dist/sql-wasm.wasm'),
      'small.wasm': Buffer.concat([watOfValue(1), custom(500)]),
      'tiny.wasm': watOfValue(2),
      'main.js': `
        import init from './large.wasm?init';
        import module from './large.wasm?module';
        import { value } from './small.wasm';
        import tiny from './tiny.wasm?init';
        console.log(init, module, value, tiny);
      `,
    });
    const { plugins, infos } = listen();
    await build(bundler, project, { plugins, plugin: { inline: 100, threshold: 131_072 } });
    expect(infos[0]).toMatch(/^(?:\[plugin [\w-]+\] )?3 modules: /);
    expect(modulesOf(infos)).toEqual([
      `large (precompiled for ${HOST}, 1968 of 1968 functions)`,
      'small (compiled at startup: below the threshold of 128 KiB)',
      'tiny (inlined)',
    ]);
  });

  test('says once that there is no wasm module', async () => {
    const project = await createProject({ 'main.js': 'console.log(1);' });
    const { plugins, infos } = listen();
    await build(bundler, project, { plugins });
    expect(infos).toEqual([expect.stringContaining('no WebAssembly to precompile was found, ')]);
  });
});

test('lists all targets with native code', async () => {
  const project = await createProject(FILES);
  const { plugins, infos } = listen();
  const node = await ensureNode('22');
  await build('rollup', project, { plugins, plugin: { targets: ['host', node] } });
  expect(modulesOf(infos)).toEqual([
    expect.stringMatching(
      new RegExp(`^one \\(precompiled for ${HOST} and node 22\\.\\d+\\.\\d+, 1 of 1 functions\\)$`),
    ),
  ]);
});

test('lists the modules of a client build as not precompiled', async () => {
  const project = await createProject({ ...FILES, 'index.html': '<script type="module" src="main.js">' });
  const { plugins, infos } = listen();
  await buildClient(project, { plugins } satisfies BuildOptions);
  expect(modulesOf(infos)).toEqual(['one (compiled in the browser)']);
});

test('counts the functions that remain after training', async () => {
  const project = await createProject({
    'large.wasm': await readPackage('sql.js/dist/sql-wasm.wasm'),
    'main.js': `
      import initSqlJs from 'sql.js';
      import init from './large.wasm?init';
      const SQL = await initSqlJs({
        instantiateWasm(imports, done) {
          init(imports).then((instance) => done(instance));
          return {};
        },
      });
      new SQL.Database().run('CREATE TABLE t (a)');
    `,
  });
  const { plugins, infos } = listen();
  await build('rollup', project, {
    plugins,
    plugin: { profile: { train: [process.execPath, project.path('out/main.js')] } },
  });
  expect(infos).toHaveLength(1);
  const [, left] = / (\d+) of 1968 functions\)$/.exec(infos[0] ?? '') ?? [];
  expect(Number(left)).toBeGreaterThan(100);
  expect(Number(left)).toBeLessThan(1000);
});

test('counts the functions of a module that was not executed', async () => {
  const profile = createProfile('one', FILES['one.wasm'], []);
  const project = await createProject({ ...FILES, 'one.wasm-profile': formatProfiles([profile]) });
  const { plugins, infos } = listen();
  await build('rollup', project, { plugins, plugin: { profile: project.path('one.wasm-profile') } });
  expect(modulesOf(infos)).toEqual([`one (precompiled for ${HOST}, 0 of 1 functions)`]);
});

const FILES = {
  'one.wasm': watOfValue(1),
  'main.js': "import { value } from './one.wasm'; console.log(value());",
};

/** Returns a custom section with this number of bytes. */
function custom(size: number): Uint8Array {
  // LEB128 encodes sizes from 128 in two bytes.
  const length = size + 2;
  return Uint8Array.of(0, (length & 0x7f) | 0x80, length >> 7, 1, 'x'.charCodeAt(0), ...new Uint8Array(size));
}
