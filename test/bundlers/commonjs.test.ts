/** CommonJS output has no top-level await: the forms that work without, and the error for the others. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ALL_BUNDLERS, build } from '../support/bundlers.ts';
import { ensureNode } from '../support/nodes.ts';
import { createProject, runWell } from '../support/project.ts';
import { watOfValue } from '../support/wat.ts';

const OUTPUT = {
  format: 'cjs',
  entryFileNames: 'deep/[name].cjs',
  assetFileNames: 'as sets/[name][extname]',
} as const;

describe.each(ALL_BUNDLERS)('%s', (bundler) => {
  test('works with ?init and ?module on Node', async () => {
    const project = await createProject({
      'one.wasm': watOfValue(1),
      'two.wasm': watOfValue(2),
      'main.js': `
        import init from './one.wasm?init';
        import module from './two.wasm?module';
        const two = new WebAssembly.Instance(module).exports.value();
        init().then(({ exports }) => console.log(JSON.stringify([exports.value(), two])));
      `,
    });
    const { dir, artifacts } = await build(bundler, project, { output: OUTPUT });
    // Farm adds a hash to each name.
    const hash = bundler === 'farm' ? /-[0-9a-f]{8}(?=\.elf)/ : '';
    expect(artifacts.map((name) => name.replace(hash, ''))).toEqual(['as sets/one.elf', 'as sets/two.elf']);

    const moved = await project.move('out', 'mo#ved %41 ü');
    const main = join(moved, 'deep/main.cjs');
    expect(dir).not.toBe(moved);
    for (const node of [process.execPath, await ensureNode('26')]) {
      const { result, loads } = await runWell(main, { node });
      expect(result).toEqual([1, 2]);
      const how = node === process.execPath ? 'precompiled' : 'compiled';
      expect(loads.map((load) => load.how)).toEqual([how, how]);
    }
  });

  // webpack, Rspack and Farm implement it with promises.
  test.skipIf(['webpack', 'rspack', 'farm'].includes(bundler))(
    'fails with the file and the alternatives if the exports are imported',
    async () => {
      const project = await createProject({
        'good.wasm': watOfValue(1),
        'needs-await.wasm': watOfValue(2),
        'main.js': `
        import init from './good.wasm?init';
        import { value } from './needs-await.wasm';
        init().then(() => console.log(value()));
      `,
      });
      await expect(build(bundler, project, { output: OUTPUT })).rejects.toThrow(
        /needs-await\.wasm.*top-level await.*"c(ommon)?js".*\?init.*\?module.*"es"/s,
      );
    },
  );

  test('inlines modules', async () => {
    const project = await createProject({
      'one.wasm': watOfValue(1),
      'main.js': `
        import module from './one.wasm?module';
        console.log(new WebAssembly.Instance(module).exports.value());
      `,
    });
    const { dir, artifacts } = await build(bundler, project, { output: OUTPUT, plugin: { inline: 100_000 } });
    expect(artifacts).toEqual([]);
    expect((await runWell(join(dir, 'deep/main.cjs'))).result).toBe(1);
  });
});
