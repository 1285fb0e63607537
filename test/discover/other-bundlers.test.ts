/** Runtime loading in bundlers without Rollup's plugin interface: their own cases. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Configuration } from 'webpack';
import { readReport } from '../report/read.ts';
import { build, type BuildOptions } from '../support/bundlers.ts';
import {
  ESBUILD_INTEROP,
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
  test('keeps only executed functions of a module that a package loads, if the build trains itself', async () => {
    const project = await createProject({
      'main.js': `
        import { get_encoding } from 'tiktoken';
        console.log(JSON.stringify([...get_encoding('gpt2').encode('trained')]));
      `,
    });
    const report = project.path('report.html');
    const { dir } = await build(bundler, project, {
      other: { external: [], esbuild: ESBUILD_INTEROP.es },
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

  test('finds the file of a CommonJS module that is bundled into an ES module', async () => {
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

  test('finds the file of an ES module that reads `__dirname` in CommonJS output, without a warning', async () => {
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

  test('finds the file of an ES module without imports and exports', async () => {
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

/** Compiles TypeScript to JavaScript, with a source map. */
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
  'keeps source maps that point to the TypeScript source (%s)',
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
    // Farm's source maps have no exact columns.
    expect(stderr).toMatch(bundler === 'farm' ? /main\.ts:7:/ : /main\.ts(\?\w+)?:7:7\b/);
  },
);

describe.each(['webpack', 'rspack'] as const)('%s', (bundler) => {
  test('scans modules of a persistent cache again when options change', async () => {
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

  test('keeps ids and source map names of modules that load no wasm', async () => {
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

test("scans only files that esbuild's loaders treat as scripts", async () => {
  const project = await createProject({
    ...FILES,
    'lib/page.text.js': `new WebAssembly.Module(bytes('one.wasm'));`,
    'main.js': `import text from './lib/page.text.js'; console.log(JSON.stringify(text));`,
  });
  const { dir } = await build('esbuild', project, { other: { esbuild: { loader: { '.text.js': 'text' } } } });
  const { result } = await runWell(join(dir, 'main.js'));
  expect(result).toBe(`new WebAssembly.Module(bytes('one.wasm'));`);
});
