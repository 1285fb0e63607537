/** Refused imports: unknown forms, and wasm modules with imports that cannot be resolved. */
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { rollup } from 'rollup';
import rolldownPlugin from 'unplugin-wasm-precompile/rolldown';
import rollupPlugin from 'unplugin-wasm-precompile/rollup';
import { describe, expect, test } from 'vitest';
import { ALL_BUNDLERS, build, BUNDLERS, hasRollupPlugins } from '../support/bundlers.ts';
import { createProject, runWell, SHARED_CACHE } from '../support/project.ts';
import { wat, watOfValue } from '../support/wat.ts';

describe.each(BUNDLERS)('an unknown query in %s', (bundler) => {
  const FILES = {
    'one.wasm': watOfValue(1),
    'main.js': "import one from './one.wasm?int'; console.log(one);",
  };

  test('causes an error that lists the forms', async () => {
    const project = await createProject(FILES);
    const error = await failure(build(bundler, project));
    expect(error).toContain(`${project.path('one.wasm')} is imported in an unknown form, \`?int\``);
    expect(error).toContain(
      bundler === 'vite' ? 'Import it as `?init`, `?module` or `?url`' : 'Import it as `?init` or `?module`',
    );
  });

  test('is left to a plugin that handles it', async () => {
    const project = await createProject(FILES);
    const loader = {
      name: 'loader',
      resolveId: (id: string) => (id === './one.wasm?int' ? project.path('one.wasm?int') : undefined),
      load: (id: string) => (id.endsWith('.wasm?int') ? 'export default 5;' : undefined),
    };
    const { dir } = await build(bundler, project, { plugins: [loader] });
    expect((await runWell(join(dir, 'main.js'))).result).toBe(5);
  });

  test('is left to the bundler if the file is excluded', async () => {
    const project = await createProject(FILES);
    const error = await failure(build(bundler, project, { plugin: { exclude: /one\.wasm$/ } }));
    expect(error).not.toContain('unknown form');
  });
});

describe.each(ALL_BUNDLERS)('unresolvable imports of a wasm module in %s', (bundler) => {
  test('cause an error that names them and the forms that accept imports', async () => {
    const project = await createProject({
      'one.wasm': bindgen('wbg'),
      'main.js': "import { value } from './one.wasm'; console.log(value());",
    });
    // Farm quotes the message.
    const error = (await failure(build(bundler, project))).replaceAll(String.raw`\"`, '"');
    expect(error).toContain(`${project.path('one.wasm')} imports "first" and 1 more from "wbg"`);
    expect(error).toMatch(/`\?init` or `\?module`/);
  });

  test('are allowed for `?init`', async () => {
    const project = await createProject({
      'one.wasm': bindgen('wbg'),
      'main.js': `
        import init from './one.wasm?init';
        const wbg = { first: () => 3, second() {} };
        console.log((await init({ wbg })).exports.value());
      `,
    });
    const { dir } = await build(bundler, project);
    expect((await runWell(join(dir, 'main.js'))).result).toBe(3);
  });

  test.skipIf(!hasRollupPlugins(bundler))('cause no error if a plugin resolves them', async () => {
    const project = await createProject({
      'one.wasm': bindgen('wbg'),
      'bindings.js': 'export const first = () => 4; export const second = () => {};',
      'main.js': "import { value } from './one.wasm'; console.log(value());",
    });
    const resolver = {
      name: 'resolver',
      resolveId: (id: string) => (id === 'wbg' ? project.path('bindings.js') : undefined),
    };
    const { dir } = await build(bundler, project, { plugins: [resolver] });
    expect((await runWell(join(dir, 'main.js'))).result).toBe(4);
  });

  test('cause no error if Node resolves them: built-in modules and packages', async () => {
    const project = await createProject({
      'one.wasm': wat(`(module
        (import "node:os" "availableParallelism" (func (result i32)))
        (import "greeting" "first" (func $first (result i32)))
        (func (export "value") (result i32) call $first))`),
      'node_modules/greeting/package.json':
        '{ "name": "greeting", "type": "module", "exports": { "import": "./index.js" } }',
      'node_modules/greeting/index.js': 'export const first = () => 6;',
      'main.js': "import { value } from './one.wasm'; console.log(value());",
    });
    const { dir } = await build(bundler, project);
    expect((await runWell(join(dir, 'main.js'))).result).toBe(6);
  });
});

test.each(['rollup', 'rolldown'] as const)('%s keeps an external import unchanged', async (bundler) => {
  const project = await createProject({
    'one.wasm': wat('(module (import "wbg" "first" (func)) (func (export "value")))'),
    'main.js': "import { value } from './one.wasm'; console.log(value());",
  });
  const options = { input: project.path('main.js'), external: ['wbg'], logLevel: 'silent' as const };
  const { output } =
    bundler === 'rollup'
      ? await (
          await rollup({ ...options, plugins: [rollupPlugin({ threshold: 0, cache: SHARED_CACHE })] })
        ).generate({})
      : await (
          await rolldown({ ...options, plugins: [rolldownPlugin({ threshold: 0, cache: SHARED_CACHE })] })
        ).generate();
  expect(output[0].code).toMatch(/from ["']wbg["']/);
});

/** Returns the message of the error that a build must end with. */
async function failure(building: Promise<unknown>): Promise<string> {
  const error = await building.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Error)) throw new Error('The build did not fail');
  return error.message;
}

/** A module that imports two functions; its `value` returns the result of the first. */
function bindgen(module: string): Uint8Array {
  return wat(`(module
    (import "${module}" "first" (func $first (result i32)))
    (import "${module}" "second" (func))
    (func (export "value") (result i32) call $first))`);
}
