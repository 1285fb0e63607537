/** Invalid and unsupported wasm files: the errors and warnings of a build. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ALL_BUNDLERS, build, hasRollupPlugins } from '../support/bundlers.ts';
import { ensureNode } from '../support/nodes.ts';
import { createProject, readPackage, run, runWell } from '../support/project.ts';
import { wat, watOfValue } from '../support/wat.ts';

const MAGIC = [0x00, 0x61, 0x73, 0x6d];

describe.each(ALL_BUNDLERS)('%s', (bundler) => {
  describe.each([
    ['', "import { value } from './bad.wasm'; console.log(value);"],
    ['?init', "import init from './bad.wasm?init'; console.log(init);"],
    ['?module', "import module from './bad.wasm?module'; console.log(module);"],
  ])('names the invalid file that is imported as .wasm%s:', (_, main) => {
    test.each<[string, string | Uint8Array, RegExp]>([
      ['an empty file', '', /empty file/],
      ['some text', 'hello, world', /text/],
      ['an HTML page', '<!doctype html><title>404</title>', /HTML/],
      ['a module in the text format', '(module)', /text format/],
      ['a component', Uint8Array.of(...MAGIC, 0x0d, 0x00, 0x01, 0x00), /component/],
      ['a module of another version', Uint8Array.of(...MAGIC, 2, 0, 0, 0), /version/],
      ['a module that ends in its header', Uint8Array.of(...MAGIC, 1, 0), /expected .* found/],
      ['a module that ends in a section', watOfValue(1).subarray(0, 20), /damaged or incomplete/],
    ])('%s', async (__, content, message) => {
      const project = await createProject({ 'bad.wasm': content, 'main.js': main });
      const error = await failure(build(bundler, project));
      expect(error).toContain(project.path('bad.wasm'));
      expect(error).toMatch(message);
    });
  });

  test('names a large module that is truncated', async () => {
    const bytes = await readPackage('@resvg/resvg-wasm/index_bg.wasm');
    const project = await createProject({
      'bad.wasm': bytes.subarray(0, bytes.length / 2),
      'main.js': "import init from './bad.wasm?init'; console.log(init);",
    });
    const error = await failure(build(bundler, project));
    expect(error).toContain(project.path('bad.wasm'));
    expect(error).toMatch(/damaged or incomplete/);
  });

  test('names a file that does not exist', async () => {
    const project = await createProject({
      'main.js': "import init from './missing.wasm?init'; console.log(init);",
    });
    expect(await failure(build(bundler, project))).toContain('./missing.wasm');
  });

  test.skipIf(!hasRollupPlugins(bundler))('names a file that cannot be read', async () => {
    const project = await createProject({
      'main.js': "import init from 'folder.wasm?init'; console.log(init);",
    });
    await mkdir(project.path('folder.wasm'));
    const resolver = {
      name: 'resolver',
      resolveId: (id: string) => (id === 'folder.wasm' ? project.path(id) : undefined),
    };
    const error = await failure(build(bundler, project, { plugins: [resolver] }));
    expect(error).toContain(`${project.path('folder.wasm')}: cannot be read: EISDIR`);
  });
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

describe.each(ALL_BUNDLERS)('%s, with a module that a target does not support', (bundler) => {
  /** Builds a program that prints the result of the module's `value`. */
  async function buildFor(targets: string[], module: Uint8Array) {
    const project = await createProject({
      'new.wasm': module,
      'main.js': "import init from './new.wasm?init'; console.log((await init()).exports.value());",
    });
    return build(bundler, project, { plugin: { targets } });
  }

  // Node 20 supports neither.
  test.each([
    ['two memories', moduleWithTwoMemories(), 5],
    ['try_table', moduleWithTryTable(), 7],
  ])('makes native code for the other targets and warns with the reason: %s', async (_, module, value) => {
    const others = await Promise.all([ensureNode('22'), ensureNode('24')]);
    const old = await ensureNode('20.19');
    const { dir, warnings } = await buildFor([old, ...others], module);
    expect(warnings).toEqual([
      expect.stringMatching(/new\.wasm: node 20.* does not support this module \(CompileError: .*\)/s),
    ]);
    for (const node of others) {
      const { result, loads } = await runWell(join(dir, 'main.js'), { node });
      expect(result).toBe(value);
      expect(loads).toMatchObject([{ how: 'precompiled' }]);
    }
    const { exitCode, stderr } = await run(join(dir, 'main.js'), { node: old });
    expect(exitCode).toBe(1);
    expect(stderr).toContain('CompileError: WebAssembly.compile()');
  });

  test('ships the module without native code if no target supports it', async () => {
    const { dir, artifacts, warnings } = await buildFor([await ensureNode('20.19')], moduleWithTryTable());
    expect(warnings).toHaveLength(1);
    expect(artifacts).toHaveLength(1);
    const { result, loads, stderr } = await runWell(join(dir, 'main.js'), { node: await ensureNode('22') });
    expect(result).toBe(7);
    expect(loads).toMatchObject([{ how: 'compiled' }]);
    expect(stderr).not.toContain('WASM_PRECOMPILE_FALLBACK');
  });
});

/** Its `value` reads the second memory. */
function moduleWithTwoMemories(): Uint8Array {
  return wat(`(module
    (memory 1) (memory $second 1)
    (func (export "value") (result i32)
      (i32.store $second (i32.const 0) (i32.const 5))
      (i32.load $second (i32.const 0))))`);
}

/** Its `value` throws 7 and returns the caught value. wabt does not support the instruction. */
function moduleWithTryTable(): Uint8Array {
  return Buffer.from(
    [
      '0061736d 01000000', // magic, version
      '01 09 02 600001 7f 6001 7f 00', // type section: () → i32, (i32) → ()
      '03 02 01 00', // function section: one of the first type
      '0d 03 01 00 01', // tag section: one of the second type
      '07 09 01 05 76616c7565 00 00', // export section: the function as `value`
      '0a 13 01 11 00', // code section: one body without locals
      '02 7f', // block (result i32)
      '1f 40 01 00 00 00', // try_table (catch 0 0)
      '41 07 08 00', // i32.const 7, throw 0
      '0b 00 0b 0b', // end, unreachable, end, end
    ]
      .join('')
      .replaceAll(' ', ''),
    'hex',
  );
}

describe.each(ALL_BUNDLERS)('%s, with a module of an unknown proposal', (bundler) => {
  /** No proposal defines the value type 0x50. */
  const UNKNOWN = Uint8Array.of(...MAGIC, 1, 0, 0, 0, 1, 5, 1, 0x60, 1, 0x50, 0);

  test.each([
    [
      '?init',
      "import init from './new.wasm?init'; console.log(JSON.stringify(await init().catch((error) => error.name)));",
    ],
    [
      '?module',
      "const load = () => import('./new.wasm?module'); console.log(JSON.stringify(await load().catch((error) => error.name)));",
    ],
  ])('ships it without native code and warns, imported as .wasm%s', async (_, main) => {
    const project = await createProject({ 'new.wasm': UNKNOWN, 'main.js': main });
    const { dir, files, artifacts, warnings } = await build(bundler, project);
    expect(warnings).toEqual([
      expect.stringMatching(/new\.wasm: .* It is not precompiled: V8 compiles it at startup\./),
    ]);
    expect(artifacts).toEqual([]);
    expect(files.filter((file) => file.endsWith('.wasm'))).toHaveLength(1);
    // The engine decides, and does not support it either.
    expect((await runWell(join(dir, 'main.js'))).result).toBe('CompileError');
  });

  test('fails if its exports are imported', async () => {
    const project = await createProject({ 'new.wasm': UNKNOWN, 'main.js': "import './new.wasm';" });
    expect(await failure(build(bundler, project))).toMatch(
      /new\.wasm: expected .*update unplugin-wasm-precompile/s,
    );
  });
});
