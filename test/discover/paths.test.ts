/** Paths of wasm files that a variable names, and paths that code takes apart. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ALL_BUNDLERS, build } from '../support/bundlers.ts';
import { createProject, runWell } from '../support/project.ts';
import { watOfValue } from '../support/wat.ts';

const COMPILE = `
  import { readFileSync } from 'node:fs';
  import { basename, dirname, join } from 'node:path';
  import { fileURLToPath } from 'node:url';
  const here = dirname(fileURLToPath(import.meta.url));
  const { Module, Instance } = WebAssembly;
  const value = (file) => new Instance(new Module(readFileSync(file))).exports.value();
`;

describe.each(ALL_BUNDLERS)('%s', (bundler) => {
  test('finds a name that a variable holds', async () => {
    const project = await createProject({
      'one.wasm': watOfValue(1),
      'lib/two.wasm': watOfValue(2),
      'main.js': `${COMPILE}
        const locateFile = (path) => join(here, path);
        const isDataURI = (text) => text.startsWith('data:');
        function findWasmBinary() { var f = 'one.wasm'; return locateFile(f); }
        function findUnlessData() { var f = 'one.wasm'; if (!isDataURI(f)) { return locateFile(f); } return f; }
        const name = 'one.wasm';
        // Another scope declares the same names.
        function other(name, WebAssembly, fetch) { return [name, WebAssembly, fetch].length; }
        const second = 'two.wasm';
        console.log(JSON.stringify([
          value(findWasmBinary()), value(findUnlessData()), value(new URL(name, import.meta.url)),
          value(join(here, 'lib', second)), value(here + '/' + name), other(),
        ]));
      `,
    });
    const { dir } = await build(bundler, project);
    // Away from the source: nothing else can be found.
    const moved = await project.move('out', 'elsewhere/out');
    expect(dir).not.toBe(moved);
    const { result, loads } = await runWell(join(moved, 'main.js'));
    expect(result).toEqual([1, 1, 1, 2, 1, 3]);
    expect(new Set(loads.map(({ how }) => how))).toEqual(new Set(['precompiled']));
  });

  test('changes nothing else in code without spaces, or at the start of a module', async () => {
    const project = await createProject({
      'one.wasm': watOfValue(1),
      'first.js': `start("one.wasm"); function start(file) { globalThis.started = file; } export {};`,
      'main.js': `${COMPILE}
        import './first.js';
        const template = (folder) => {return\`\${folder}/one.wasm\`};
        function call(folder) {return(0,join)(folder,"one.wasm")}
        const sum = (folder) => {return"file://"+folder+"/one.wasm"};
        const nested = () => {try {return createRequire(join(here, "one.wasm")).resolve("no-package/one.wasm")} catch {return 0}};
        import { createRequire } from 'node:module';
        let given = 'one.wasm';
        given += '';
        console.log(JSON.stringify([
          value(template(here)), value(call(here)), value(fileURLToPath(sum(here))), nested(), globalThis.started,
        ]));
      `,
    });
    await build(bundler, project);
    const moved = await project.move('out', 'elsewhere/out');
    const { result, loads } = await runWell(join(moved, 'main.js'));
    expect(result).toEqual([1, 1, 1, 0, 'one.wasm']);
    expect(new Set(loads.map(({ how }) => how))).toEqual(new Set(['precompiled']));
  });

  test('keeps the neighbours of a file that a package has', async () => {
    const project = await createProject({
      'node_modules/it/package.json': JSON.stringify({
        name: 'it',
        version: '1.2.3',
        exports: { './a.wasm': './files/a.wasm', './package.json': './package.json' },
      }),
      'node_modules/it/files/a.wasm': watOfValue(1),
      'node_modules/it/files/b.wasm': watOfValue(2),
      'main.js': `${COMPILE}
        import { createRequire } from 'node:module';
        const file = createRequire(import.meta.url).resolve('it/a.wasm');
        const folder = dirname(file);
        const { version } = JSON.parse(readFileSync(join(folder, '../package.json'), 'utf8'));
        console.log(JSON.stringify([value(file), value(join(folder, 'b.wasm')), basename(file), version]));
      `,
    });
    const { dir } = await build(bundler, project);
    const { result, loads } = await runWell(join(dir, 'main.js'));
    expect(result).toEqual([1, 2, 'a.wasm', '1.2.3']);
    expect(loads.map(({ how }) => how)).toEqual(['precompiled']);
  });

  test('finds a file of a package that is not installed where the program runs', async () => {
    const project = await createProject({
      'node_modules/it/package.json': '{ "name": "it" }',
      'node_modules/it/a.wasm': watOfValue(1),
      'main.js': `${COMPILE}
        import { createRequire } from 'node:module';
        console.log(JSON.stringify(value(createRequire(import.meta.url).resolve('it/a.wasm'))));
      `,
    });
    const { dir } = await build(bundler, project);
    await project.move('node_modules', 'gone');
    const { result, loads } = await runWell(join(dir, 'main.js'));
    expect(result).toBe(1);
    expect(loads.map(({ how }) => how)).toEqual(['precompiled']);
  });
});
