/** Programs find their artifacts for all file names and folders, also after the output was moved. */
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ALL_BUNDLERS, build, hasRollupPlugins } from '../support/bundlers.ts';
import { createProject, runWell } from '../support/project.ts';
import { watOfValue } from '../support/wat.ts';

const FILES = {
  'modules/one.wasm': watOfValue(1),
  'modules/two.wasm': watOfValue(2),
  'modules/three.wasm': watOfValue(3),
  'lazy/two.js': `
    import module from '../modules/two.wasm?module';
    export const value = new WebAssembly.Instance(module).exports.value;
  `,
  'lazy/three.js': `export { value } from '../modules/three.wasm';`,
  'main.js': `
    import init from './modules/one.wasm?init';
    const one = await init();
    const two = await import('./lazy/two.js');
    const three = await import('./lazy/three.js');
    console.log(JSON.stringify([one.exports.value(), two.value(), three.value()]));
  `,
};

const PRECOMPILED = ['precompiled', 'precompiled', 'precompiled'];

const replaced = (code: string) => code.replaceAll('import.meta.', 'globalThis.somethingElse?.');

describe.each(ALL_BUNDLERS)('%s: a program finds its artifacts', (bundler) => {
  test.skipIf(!hasRollupPlugins(bundler))(
    'with entries, chunks and assets in separate nested folders',
    async () => {
      const project = await createProject(FILES);
      const { dir, files, artifacts } = await build(bundler, project, {
        output: {
          entryFileNames: 'deep/er/[name].mjs',
          chunkFileNames: 'deep/chunks/[hash]/[name].mjs',
          assetFileNames: 'static/[name].[hash][extname]',
        },
      });

      expect(files).toContain('deep/er/main.mjs');
      expect(files.filter((file) => /^deep\/chunks\/.+\/(two|three)\.mjs$/.test(file))).toHaveLength(2);
      expect(artifacts).toHaveLength(3);
      for (const artifact of artifacts) expect(artifact).toMatch(/^static\/(one|two|three)\.[\w-]+\.elf$/);

      const { result, loads } = await runWell(join(dir, 'deep/er/main.mjs'));
      expect(result).toEqual([1, 2, 3]);
      expect(loads.map(({ how }) => how)).toEqual(PRECOMPILED);
      expect(loads.map(({ file }) => dirname(file))).toEqual(Array(3).fill(join(dir, 'static')));
    },
  );

  // Nitro does this and gives each chunk the URL of the entry. Rolldown reprints `import.meta`, so the text never
  // matches.
  test.runIf(bundler === 'rollup')(
    'if another plugin replaces the text `import.meta.` in modules and chunks',
    async () => {
      const project = await createProject({
        ...FILES,
        'main.js': `globalThis.seen = typeof import.meta.url;\n${FILES['main.js'].replace('[one.exports', '[seen, one.exports')}`,
      });
      const { dir } = await build(bundler, project, {
        output: { chunkFileNames: 'chunks/[name]-[hash].js' },
        pluginsAfter: [
          {
            name: 'replacer',
            transform: (code) => (code.includes('import.meta.') ? replaced(code) : undefined),
            renderChunk: replaced,
          },
        ],
      });
      const { result, loads } = await runWell(join(dir, 'main.js'));
      expect(result).toEqual(['undefined', 1, 2, 3]);
      expect(loads.map(({ how }) => how)).toEqual(PRECOMPILED);
    },
  );

  test.skipIf(!hasRollupPlugins(bundler))('with assets beside the chunks', async () => {
    const project = await createProject(FILES);
    const { dir, artifacts } = await build(bundler, project, {
      output: { chunkFileNames: '[name]-[hash].js', assetFileNames: '[name][extname]' },
    });
    expect(artifacts).toEqual(['one.elf', 'three.elf', 'two.elf']);
    const { result, loads } = await runWell(join(dir, 'main.js'));
    expect(result).toEqual([1, 2, 3]);
    expect(loads.map(({ how }) => how)).toEqual(PRECOMPILED);
  });

  test('after the output was moved, from any working directory', async () => {
    const project = await createProject(FILES);
    await build(bundler, project, { output: { dir: 'out' } });
    const moved = await project.move('out', 'srv/www/app');

    for (const cwd of ['/', project.folder, join(moved, 'assets')]) {
      const { result, loads } = await runWell(join(moved, 'main.js'), { cwd });
      expect(result).toEqual([1, 2, 3]);
      expect(loads.map(({ how }) => how)).toEqual(PRECOMPILED);
    }
  });

  test.each(['with space', 'hash#mark', 'per%cent %41', 'ünï-日本', "quote'd [x] (y) & $z", 'dots..'])(
    'in a folder named "%s"',
    async (name) => {
      const project = await createProject(FILES, name);
      const { dir } = await build(bundler, project);
      const { result, loads } = await runWell(join(dir, 'main.js'));
      expect(result).toEqual([1, 2, 3]);
      expect(loads.map(({ how }) => how)).toEqual(PRECOMPILED);
      for (const { file } of loads) expect(file.startsWith(`${dir}/`)).toBe(true);

      const moved = await project.move('out', `to ${name}`);
      expect((await runWell(join(moved, 'main.js'))).result).toEqual([1, 2, 3]);
    },
  );

  // webpack writes no files with `#` in their names.
  const names = ['with space', 'hash#mark', 'per%cent %41', 'ünï-日本', "quote'd"];
  test.each(names.filter((name) => bundler !== 'webpack' || !name.includes('#')))(
    'with assets in a folder named "%s", from a module of that name',
    async (name) => {
      const project = await createProject({
        [`${name}.wasm`]: watOfValue(7),
        // A request is not a URL; `#` begins a subpath import only as its first character.
        'main.js': `
          import { value } from ${JSON.stringify(`./${name}.wasm`)};
          console.log(value());
        `,
      });
      const { dir } = await build(bundler, project, {
        output: { assetFileNames: `${name}/[name]-[hash][extname]` },
      });
      const { result, loads } = await runWell(join(dir, 'main.js'));
      expect(result).toBe(7);
      expect(loads.map(({ how }) => how)).toEqual(['precompiled']);
    },
  );

  test('with two modules of the same name', async () => {
    const project = await createProject({
      'a/same.wasm': watOfValue(1),
      'b/same.wasm': watOfValue(2),
      'main.js': `
        import { value as a } from './a/same.wasm';
        import { value as b } from './b/same.wasm';
        console.log(JSON.stringify([a(), b()]));
      `,
    });
    const { dir, artifacts } = await build(bundler, project);
    expect(artifacts).toHaveLength(2);
    expect((await runWell(join(dir, 'main.js'))).result).toEqual([1, 2]);
  });

  test('with two copies of one module', async () => {
    const project = await createProject({
      'a/same.wasm': watOfValue(1),
      'b/same.wasm': watOfValue(1),
      'main.js': `
        import { value as a } from './a/same.wasm';
        import { value as b } from './b/same.wasm';
        console.log(JSON.stringify([a(), b(), a === b]));
      `,
    });
    const { dir } = await build(bundler, project);
    expect((await runWell(join(dir, 'main.js'))).result).toEqual([1, 1, false]);
  });
});

test.each(['/sub/', './', 'https://example.com/cdn/'])(
  'a program that Vite builds with the base %s finds its artifacts',
  async (base) => {
    const project = await createProject(FILES);
    const { dir, artifacts } = await build('vite', project, { vite: { base } });
    expect(artifacts).toHaveLength(3);
    const { result, loads } = await runWell(join(dir, 'main.js'));
    expect(result).toEqual([1, 2, 3]);
    expect(loads.map(({ how }) => how)).toEqual(PRECOMPILED);
  },
);
