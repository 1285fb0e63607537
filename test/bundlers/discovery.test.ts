/** A training run finds what the program compiles, however it got the bytes. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ALL_BUNDLERS, build } from '../support/bundlers.ts';
import { createProject, runWell } from '../support/project.ts';
import { wat, watOfValue } from '../support/wat.ts';

const base64 = (module: Uint8Array) => JSON.stringify(Buffer.from(module).toString('base64'));

/** A module with enough functions that one of them can be left out. */
const MODULE = wat(`(module
  (func (export "value") (result i32) i32.const 42)
  (func (export "unused") (result i32) i32.const 13))`);

const FILES = {
  'main.js': `
    const bytes = Uint8Array.from(atob(${base64(MODULE)}), (each) => each.charCodeAt(0));
    WebAssembly.instantiate(bytes).then(({ instance }) => console.log(JSON.stringify(instance.exports.value())));
  `,
  'train.mjs': `await import('./out/main.js');`,
};

describe.each(ALL_BUNDLERS)('%s', (bundler) => {
  test('precompiles bytes that are inside of JavaScript', async () => {
    const project = await createProject(FILES);
    const train = [process.execPath, project.path('train.mjs')];
    const { dir, artifacts, warnings } = await build(bundler, project, { plugin: { profile: { train } } });
    expect(warnings).toEqual([]);
    expect(artifacts).toHaveLength(1);
    const { result, loads } = await runWell(join(dir, 'main.js'));
    expect(result).toBe(42);
    expect(loads.map(({ how }) => how)).toEqual(['precompiled']);
  });

  test('leaves them alone with `recognise: false`', async () => {
    const project = await createProject(FILES);
    const train = [process.execPath, project.path('train.mjs')];
    const { dir, files } = await build(bundler, project, {
      plugin: { recognise: false, profile: { train } },
    });
    expect(files.filter((file) => !file.endsWith('.js'))).toEqual([]);
    expect(await runWell(join(dir, 'main.js'))).toMatchObject({ result: 42, loads: [] });
  });
});

test('precompiles what child processes and files of other folders hold', async () => {
  const project = await createProject({
    'one.wasm': watOfValue(1),
    'downloaded/two.bin': watOfValue(2),
    'child.cjs': `
      const { readFileSync } = require('node:fs');
      const { Module, Instance } = WebAssembly;
      const value = (file) => new Instance(new Module(readFileSync(file))).exports.value();
      console.log(JSON.stringify(value(process.argv[2])));
    `,
    'main.js': `
      import { execFileSync } from 'node:child_process';
      import { readFileSync } from 'node:fs';
      import module from './one.wasm?module';
      const run = (bytes) => new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.value();
      const child = execFileSync(process.execPath, [process.env.PROJECT + '/child.cjs', process.env.PROJECT + '/downloaded/two.bin']);
      console.log(JSON.stringify([
        new WebAssembly.Instance(module).exports.value(),
        run(readFileSync(process.env.PROJECT + '/downloaded/two.bin')),
        JSON.parse(child),
      ]));
    `,
  });
  const env = { PROJECT: project.folder };
  const train = ['/usr/bin/env', `PROJECT=${project.folder}`, process.execPath, project.path('out/main.js')];
  const { dir } = await build('rollup', project, { plugin: { profile: { train } } });
  const { result, loads } = await runWell(join(dir, 'main.js'), { env });
  expect(result).toEqual([1, 2, 2]);
  expect(loads.map(({ how }) => how)).toEqual(['precompiled', 'precompiled']);
});
