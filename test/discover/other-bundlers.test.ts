/** Code that loads wasm by itself, in bundlers without Rollup's interface: what is theirs. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Configuration } from 'webpack';
import { readReport } from '../report/read.ts';
import { build, type BuildOptions } from '../support/bundlers.ts';
import {
  ESBUILD_RECIPES,
  OTHER_BUNDLERS,
  type OtherBundler,
  persistentCache,
} from '../support/other-bundlers.ts';
import { createProject, type Project, run, runWell } from '../support/project.ts';
import { watOfValue } from '../support/wat.ts';

const FILES = {
  'one.wasm': watOfValue(1),
  'main.js': `
    import { readFileSync } from 'node:fs';
    const bytes = readFileSync(new URL('./one.wasm', import.meta.url));
    console.log(JSON.stringify(new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.value()));
  `,
};

describe.each(OTHER_BUNDLERS)('%s', (bundler) => {
  test('a build that trains itself trims what glue code loads', async () => {
    const project = await createProject({
      'main.js': `
        import { get_encoding } from 'tiktoken';
        console.log(JSON.stringify([...get_encoding('gpt2').encode('trained')]));
      `,
    });
    const report = project.path('report.html');
    const { dir } = await build(bundler, project, {
      other: { external: [], esbuild: ESBUILD_RECIPES.es },
      plugin: { report, profile: { train: [process.execPath, project.path('out/main.js')] } },
    });
    const { result, loads } = await runWell(join(dir, 'main.js'));
    expect(result).toEqual([35311]);
    expect(loads.map(({ how }) => how)).toEqual(['precompiled']);
    const [{ native: [{ functions, executed = 0 } = { functions: 0 }] = [] } = {}] = (
      await readReport(report)
    ).artifacts;
    expect(executed).toBeGreaterThan(10);
    expect(executed).toBeLessThan(functions / 2);
  });

  test('CommonJS in an ES module finds the file, with or without a folder of its own', async () => {
    const project = await createProject({
      ...FILES,
      'main.js': `import load from './lib/load.cjs'; console.log(JSON.stringify(load()));`,
      'lib/two.wasm': watOfValue(2),
      'lib/load.cjs': `
        'use strict';
        module.exports = () => {
          const { readFileSync } = process.getBuiltinModule('node:fs');
          const bytes = readFileSync(__dirname + '/two.wasm');
          return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.value();
        };
      `,
    });
    const { dir } = await build(bundler, project);
    const { result, loads } = await runWell(join(dir, 'main.js'));
    expect(result).toBe(2);
    expect(loads.map(({ how }) => how)).toEqual(['precompiled']);
  });

  test('an ES module that has a folder only as CommonJS finds the file, without a warning', async () => {
    const project = await createProject({
      ...FILES,
      'main.js': `
        import { readFileSync } from 'node:fs';
        import { join } from 'node:path';
        const bytes = readFileSync(join(__dirname, 'one.wasm'));
        console.log(JSON.stringify(new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.value()));
      `,
    });
    const { dir, warnings } = await build(bundler, project, {
      output: { format: 'cjs', entryFileNames: '[name].cjs' },
    });
    expect(warnings).toEqual([]);
    const { result, loads } = await runWell(join(dir, 'main.cjs'));
    expect(result).toBe(1);
    expect(loads.map(({ how }) => how)).toEqual(['precompiled']);
  });

  test('an ES module without imports and exports finds the file', async () => {
    const project = await createProject({
      ...FILES,
      'main.js': `
        const { readFileSync } = process.getBuiltinModule('node:fs');
        const load = (folder) => readFileSync(folder + '/one.wasm');
        console.log(JSON.stringify(new WebAssembly.Instance(new WebAssembly.Module(load(read()))).exports.value()));
        function read() { return process.env.FOLDER; }
      `,
    });
    const { dir } = await build(bundler, project);
    const { result, loads } = await runWell(join(dir, 'main.js'), { env: { FOLDER: project.folder } });
    expect(result).toBe(1);
    expect(loads.map(({ how }) => how)).toEqual(['precompiled']);
  });
});

/** Makes JavaScript of TypeScript, with a source map. */
const TYPES_LOADER = `
  const { transformSync } = require('esbuild');
  module.exports = function (text) {
    const { code, map } = transformSync(text, { loader: 'ts', sourcemap: true, sourcefile: this.resourcePath });
    this.callback(null, code, JSON.parse(map));
  };
`;

function withTypes(bundler: OtherBundler, project: Project): Configuration {
  const use =
    bundler === 'rspack'
      ? { loader: 'builtin:swc-loader', options: { jsc: { parser: { syntax: 'typescript' } } } }
      : project.path('types-loader.cjs');
  return { module: { rules: [{ test: /\.ts$/, type: 'javascript/auto', use }] } };
}

test.each(['webpack', 'rspack', 'esbuild', 'farm'] as const)(
  'source maps lead to where the TypeScript was (%s)',
  async (bundler) => {
    const lines = [
      "import { readFileSync } from 'node:fs';",
      'interface Gone {',
      '  is: true;',
      '}',
      "const bytes: Uint8Array = readFileSync(new URL('./one.wasm', import.meta.url));",
      'new WebAssembly.Module(bytes as BufferSource);',
      "throw new Error('here' satisfies string) as unknown as Gone;",
    ];
    const project = await createProject({
      ...FILES,
      'main.ts': lines.join('\n'),
      'types-loader.cjs': TYPES_LOADER,
    });
    const options: BuildOptions = { entry: 'main.ts', output: { sourcemap: true } };
    const { dir } = await build(bundler, project, {
      ...options,
      other: { webpack: withTypes(bundler, project) },
    });
    const { stderr, loads } = await run(join(dir, 'main.js'), { nodeArgs: ['--enable-source-maps'] });
    expect(loads.map(({ how }) => how)).toEqual(['precompiled']);
    // Farm's maps are not as fine.
    expect(stderr).toMatch(bundler === 'farm' ? /main\.ts:7:/ : /main\.ts(\?\w+)?:7:7\b/);
  },
);

describe.each(['webpack', 'rspack'] as const)('%s', (bundler) => {
  test('looks anew at what a persistent cache has', async () => {
    const project = await createProject(FILES);
    const cache = persistentCache(bundler, project.path('cache'));
    const how = async (plugin: BuildOptions['plugin']) => {
      const { dir } = await build(bundler, project, { plugin: plugin ?? {}, other: { webpack: { cache } } });
      const { result, loads } = await runWell(join(dir, 'main.js'));
      return [result, ...loads.map((load) => load.how)];
    };
    expect(await how({ threshold: 1_000_000 })).toEqual([1]);
    expect(await how({})).toEqual([1, 'precompiled']);
    expect(await how({ exclude: '**/one.wasm' })).toEqual([1]);
    expect(await how({})).toEqual([1, 'precompiled']);
    expect(await how({ detect: false })).toEqual([1]);
  });

  test('leaves alone the ids of modules, and their names in source maps, that load no wasm', async () => {
    const project = await createProject({
      'main.js': `import { text } from './lib/text.js'; console.log(JSON.stringify(text()));`,
      'lib/text.js': `export const text = () => 'text';`,
    });
    const optimization = { minimize: false, concatenateModules: false };
    const buildInto = (plugin: BuildOptions['plugin'], dir: string) =>
      build(bundler, project, {
        plugin: plugin ?? {},
        output: { dir, sourcemap: true },
        other: { webpack: { optimization } },
      });
    const without = await buildInto(false, 'without');
    const built = await buildInto({}, 'built');
    expect(built.files).toEqual(without.files);
    for (const file of built.files) {
      expect(await project.read('built', file)).toEqual(await project.read('without', file));
    }
  });
});

test("esbuild's loaders decide what is a script", async () => {
  const project = await createProject({
    ...FILES,
    'lib/page.text.js': `new WebAssembly.Module(bytes('one.wasm'));`,
    'main.js': `import text from './lib/page.text.js'; console.log(JSON.stringify(text));`,
  });
  const { dir } = await build('esbuild', project, { other: { esbuild: { loader: { '.text.js': 'text' } } } });
  const { result } = await runWell(join(dir, 'main.js'));
  expect(result).toBe(`new WebAssembly.Module(bytes('one.wasm'));`);
});
