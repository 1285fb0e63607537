/** Modules below the limit are inlined in the JavaScript as base64. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ALL_BUNDLERS, build } from '../support/bundlers.ts';
import { createProject, runWell } from '../support/project.ts';
import { wat } from '../support/wat.ts';

const SMALL = wat('(module (func (export "value") (result i32) i32.const 1))');
/** 5,000 bytes of data: above Vite's default limit of 4,096. */
const LARGE = wat(`(module
  (memory 1) (data (i32.const 0) "${'x'.repeat(5000)}")
  (func (export "value") (result i32) i32.const 2))`);

const FILES = {
  'small.wasm': SMALL,
  'large.wasm': LARGE,
  'main.js': `
    import { value as small } from './small.wasm';
    import initSmall from './small.wasm?init';
    import smallModule from './small.wasm?module';
    import { value as large } from './large.wasm';
    console.log(JSON.stringify([
      small(), (await initSmall()).exports.value(), new WebAssembly.Instance(smallModule).exports.value(), large(),
    ]));
  `,
};

const RESULT = [1, 1, 1, 2];

describe.each(ALL_BUNDLERS)('%s', (bundler) => {
  test.each([
    { inline: 0, artifacts: ['large', 'small'] },
    { inline: SMALL.length, artifacts: ['large', 'small'] },
    { inline: SMALL.length + 1, artifacts: ['large'] },
    { inline: 1_000_000, artifacts: [] },
  ])('emits the artifacts $artifacts with `inline: $inline`', async ({ inline, artifacts }) => {
    const project = await createProject(FILES);
    const built = await build(bundler, project, {
      plugin: { inline },
      output: { assetFileNames: '[name][extname]' },
    });
    // Farm adds a hash to each name.
    const hash = bundler === 'farm' ? /-[0-9a-f]{8}(?=\.elf)/ : '';
    expect(built.artifacts.map((name) => name.replace(hash, ''))).toEqual(
      artifacts.map((name) => `${name}.elf`),
    );
    expect(built.files.filter((file) => !/\.(elf|node)$/.test(file))).toEqual(['main.js']);
    const { result, loads } = await runWell(join(built.dir, 'main.js'));
    expect(result).toEqual(RESULT);
    const precompiled = loads.filter(({ how }) => how === 'precompiled').map(({ file }) => file);
    expect(new Set(precompiled)).toEqual(new Set(built.artifacts.map((file) => join(built.dir, file))));
  });
});

test.each(['rollup', 'rolldown'] as const)('%s inlines nothing by default', async (bundler) => {
  const project = await createProject(FILES);
  const { dir, artifacts } = await build(bundler, project, { plugin: { inline: undefined } });
  expect(artifacts).toHaveLength(2);
  expect((await runWell(join(dir, 'main.js'))).result).toEqual(RESULT);
});

describe("Vite's `assetsInlineLimit`", () => {
  test.each([
    { name: 'if it is not set', limit: undefined, artifacts: ['large.elf'] },
    { name: 'of 0', limit: 0, artifacts: ['large.elf', 'small.elf'] },
    { name: 'of 100000', limit: 100_000, artifacts: [] },
    { name: 'as a function that never inlines', limit: () => false, artifacts: ['large.elf', 'small.elf'] },
    { name: 'as a function that always inlines', limit: () => true, artifacts: [] },
    {
      name: 'as a function that leaves the decision to Vite',
      limit: () => undefined,
      artifacts: ['large.elf'],
    },
    {
      name: 'as a function of file and content',
      limit: (file: string, content: Buffer) => file.endsWith('/large.wasm') && content.length > 5000,
      artifacts: ['small.elf'],
    },
  ])('is applied $name', async ({ limit, artifacts }) => {
    const project = await createProject(FILES);
    const built = await build('vite', project, {
      plugin: { inline: undefined },
      output: { assetFileNames: '[name][extname]' },
      vite: { build: limit === undefined ? {} : { assetsInlineLimit: limit } },
    });
    expect(built.artifacts).toEqual(artifacts);
    expect((await runWell(join(built.dir, 'main.js'))).result).toEqual(RESULT);
  });

  test('is overridden by the option `inline`', async () => {
    const project = await createProject(FILES);
    const { artifacts } = await build('vite', project, {
      plugin: { inline: 0 },
      vite: { build: { assetsInlineLimit: 100_000 } },
    });
    expect(artifacts).toHaveLength(2);
  });
});
