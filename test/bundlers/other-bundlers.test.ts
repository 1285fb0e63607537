/**
 * Bundlers without Rollup's plugin interface: their features, and those that other tests check through that
 * interface.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readReport } from '../report/read.ts';
import { build, type BuildOptions } from '../support/bundlers.ts';
import { OTHER_BUNDLERS, persistentCache } from '../support/other-bundlers.ts';
import { watOf } from '../support/profiled-module.ts';
import { createProject, runWell } from '../support/project.ts';
import { watOfValue } from '../support/wat.ts';

const TRAINED = {
  'one.wasm': watOf(),
  'host.js': 'export const seven = () => 7;',
  'main.js': `
    import { start } from './one.wasm';
    console.log(start());
  `,
  'train.mjs': `await import('./out/main.js');`,
};

/** Two modules in separate chunks. */
const CHUNKS = {
  'modules/one.wasm': watOfValue(1),
  'modules/two.wasm': watOfValue(2),
  'lazy/two.js': `
    import module from '../modules/two.wasm?module';
    export const value = new WebAssembly.Instance(module).exports.value;
  `,
  'main.js': `
    import init from './modules/one.wasm?init';
    init().then(async ({ exports }) => {
      const two = await import('./lazy/two.js');
      console.log(JSON.stringify([exports.value(), two.value()]));
    });
  `,
};

describe.each(OTHER_BUNDLERS)('%s', (bundler) => {
  test('trains its output and writes a report', async () => {
    const project = await createProject(TRAINED);
    const report = project.path('report.html');
    const train = [process.execPath, project.path('train.mjs')];
    const { dir, artifacts } = await build(bundler, project, { plugin: { report, profile: { train } } });
    const [artifact, ...more] = (await readReport(report)).artifacts;
    expect(more).toEqual([]);
    expect(artifact).toMatchObject({
      file: artifacts[0],
      native: [{ functions: 3, compiled: 2, executed: 2 }],
    });
    const { result, loads } = await runWell(join(dir, 'main.js'));
    expect(result).toBe(42);
    expect(loads.map(({ how }) => how)).toEqual(['precompiled']);
  });

  test('keeps the name of a trained artifact', async () => {
    const project = await createProject(TRAINED);
    const train = [process.execPath, project.path('train.mjs')];
    const before = await build(bundler, project, { output: { dir: 'before' } });
    const after = await build(bundler, project, { plugin: { profile: { train } } });
    expect(after.artifacts).toEqual(before.artifacts);
    const [name = ''] = after.artifacts;
    expect(readFileSync(join(after.dir, name))).not.toEqual(readFileSync(join(before.dir, name)));
    expect(after.warnings.join('\n')).toContain('Training has changed files whose names keep the hash');
  });

  test('warns and continues if the training fails', async () => {
    const project = await createProject({ ...TRAINED, 'train.mjs': 'process.exit(3)' });
    const train = [process.execPath, project.path('train.mjs')];
    const { dir, warnings } = await build(bundler, project, { plugin: { profile: { train } } });
    expect(warnings.join('\n')).toContain('Training failed: ');
    expect((await runWell(join(dir, 'main.js'))).loads).toMatchObject([{ how: 'precompiled' }]);
  });

  test('finds files from chunks in nested folders after the output was moved', async () => {
    const project = await createProject(CHUNKS);
    const { files, artifacts } = await build(bundler, project, {
      output: {
        // Farm does not find its runtime from a nested folder.
        entryFileNames: bundler === 'farm' ? '[name].js' : 'entries/deep/[name].js',
        chunkFileNames: 'chunks/[name]-[hash].js',
        assetFileNames: 'static/files/[name]-[hash][extname]',
      },
    });
    expect(artifacts).toEqual([
      expect.stringMatching(/^static\/files\/one-\w+\.elf$/),
      expect.stringMatching(/^static\/files\/two-\w+\.elf$/),
    ]);
    expect(files.some((file) => file.startsWith('chunks/'))).toBe(true);
    const moved = await project.move('out', 'srv/www');
    const main = join(moved, bundler === 'farm' ? 'main.js' : 'entries/deep/main.js');
    const { result, loads } = await runWell(main, { cwd: project.folder });
    expect(result).toEqual([1, 2]);
    expect(loads.map(({ how }) => how)).toEqual(['precompiled', 'precompiled']);
  });

  test('changes the name of an artifact only if its contents change', async () => {
    const project = await createProject(CHUNKS);
    const first = await build(bundler, project, { output: { dir: 'first' } });
    const again = await build(bundler, project, { output: { dir: 'again' } });
    expect(again.artifacts).toEqual(first.artifacts);
    await project.write({ 'modules/two.wasm': watOfValue(3) });
    const changed = await build(bundler, project, { output: { dir: 'changed' } });
    expect(changed.artifacts[0]).toBe(first.artifacts[0]);
    expect(changed.artifacts[1]).not.toBe(first.artifacts[1]);
  });
});

describe.each(['webpack', 'rspack'] as const)('%s', (bundler) => {
  const FILES = {
    'one.wasm': watOfValue(1),
    'main.js': `
      import { value } from './one.wasm';
      console.log(value());
    `,
  };

  test('ignores `publicPath` for files that Node loads', async () => {
    const project = await createProject(CHUNKS);
    // webpack itself applies `publicPath` to chunks that are ES modules, hence CommonJS.
    const output = {
      format: 'cjs',
      entryFileNames: '[name].cjs',
      chunkFileNames: '[name]-[hash].cjs',
    } as const;
    const { dir } = await build(bundler, project, {
      output,
      other: { publicPath: 'https://example.com/cdn/' },
    });
    const { result, loads } = await runWell(join(dir, 'main.cjs'));
    expect(result).toEqual([1, 2]);
    expect(loads.map(({ how }) => how)).toEqual(['precompiled', 'precompiled']);
  });

  test("works with and without the bundler's experiments for wasm", async () => {
    const project = await createProject(FILES);
    const experiments = { outputModule: true, asyncWebAssembly: true };
    const { dir } = await build(bundler, project, { other: { webpack: { experiments } } });
    const { result, loads } = await runWell(join(dir, 'main.js'));
    expect(result).toBe(1);
    expect(loads).toMatchObject([{ how: 'precompiled' }]);
  });

  test('takes precedence over a rule that turns wasm files into assets', async () => {
    const project = await createProject(FILES);
    const rules = [{ test: /\.wasm$/, type: 'asset/resource' }];
    const { dir } = await build(bundler, project, { other: { webpack: { module: { rules } } } });
    expect((await runWell(join(dir, 'main.js'))).loads).toMatchObject([{ how: 'precompiled' }]);
  });

  test('fails if a loader handles the same file, with its name and the remedy', async () => {
    const project = await createProject({
      ...FILES,
      'other-loader.cjs': 'module.exports = () => "export const value = () => 2;";',
    });
    const use = [project.path('other-loader.cjs')];
    const rules = [{ test: /\.wasm$/, type: 'javascript/auto', use }];
    const options: BuildOptions = { other: { webpack: { module: { rules } } } };
    await expect(build(bundler, project, options)).rejects.toThrow(
      /one\.wasm: the loader .*other-loader\.cjs handles this file, too\. Remove it, or name the file in the option `exclude`/s,
    );
    const { dir } = await build(bundler, project, { ...options, plugin: { exclude: '**/one.wasm' } });
    expect((await runWell(join(dir, 'main.js'))).result).toBe(2);
  });

  test('regenerates modules from the persistent cache when options change', async () => {
    const project = await createProject(FILES);
    const cache = persistentCache(bundler, project.path('cache'));
    const other = { webpack: { cache } };
    await build(bundler, project, { other, output: { dir: 'first' }, plugin: { threshold: 1_000_000 } });
    const { dir } = await build(bundler, project, { other, plugin: { threshold: 0 } });
    expect((await runWell(join(dir, 'main.js'))).loads).toMatchObject([{ how: 'precompiled' }]);
  });

  test("refuses `platform: 'node'` if the bundler's target is a browser", async () => {
    const project = await createProject(FILES);
    const options: BuildOptions = { plugin: { platform: 'node' }, other: { platform: 'browser' } };
    await expect(build(bundler, project, options)).rejects.toThrow(
      /the option `platform: 'node'` needs a target for Node, and the bundler's `target` is "web"/,
    );
  });
});

describe.each(['esbuild', 'bun'] as const)('%s', (bundler) => {
  test('refuses `publicPath` for Node and applies it for browsers', async () => {
    const project = await createProject(CHUNKS);
    const other = { publicPath: 'https://example.com/cdn/' };
    await expect(build(bundler, project, { other })).rejects.toThrow(
      /option `publicPath` \("https:\/\/example\.com\/cdn\/"\) puts URLs before the names of files/,
    );
    const { dir } = await build(bundler, project, { other: { ...other, platform: 'browser' } });
    expect(readFileSync(join(dir, 'main.js'), 'utf8')).toMatch(
      /"https:\/\/example\.com\/cdn\/.*one-\w+\.wasm"/,
    );
  });
});

test("modules for Bun's own target have no native code", async () => {
  const project = await createProject({
    'one.wasm': watOfValue(1),
    'main.js': `import { value } from './one.wasm'; console.log(value());`,
  });
  const { artifacts, files } = await build('bun', project, { other: { target: 'bun' } });
  expect(artifacts).toEqual([]);
  expect(files).toContainEqual(expect.stringMatching(/one-\w+\.wasm$/));
});
