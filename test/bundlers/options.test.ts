/** The plugin's options: invalid values, and the effect of each option on a build. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import rolldownPlugin from 'unplugin-wasm-precompile/rolldown';
import rollupPlugin from 'unplugin-wasm-precompile/rollup';
import vitePlugin from 'unplugin-wasm-precompile/vite';
import { build, type BuildResult, BUNDLERS } from '../support/bundlers.ts';
import { ensureNode } from '../support/nodes.ts';
import { createProject, run, runWell } from '../support/project.ts';
import { createCrashingNode, createForeignNode } from '../support/targets.ts';
import { wat, watOfValue } from '../support/wat.ts';

const PLUGINS = { vite: vitePlugin, rollup: rollupPlugin, rolldown: rolldownPlugin };

describe.each(BUNDLERS)('%s', (bundler) => {
  test.each([
    ['targets', { targets: 'host' }],
    ['targets', { targets: [] }],
    ['targets.1', { targets: ['host', ''] }],
    ['strip', { strip: true }],
    ['strip', { strip: 'names' }],
    ['verify', { verify: 'yes' }],
    ['fallback', { fallback: 'crash' }],
    ['inline', { inline: '4kb' }],
    ['inline', { inline: -1 }],
    ['inline', { inline: Number.NaN }],
    ['detect', { detect: 'off' }],
    ['external', { external: 'all' }],
    ['report', { report: 1 }],
    ['report', { report: '' }],
    ['cache', { cache: true }],
    ['cache', { cache: '' }],
    ['cache', { cache: { getItem() {} } }],
    ['platform', { platform: 'deno' }],
    ['timeLimit', { timeLimit: 0 }],
    ['timeLimit', { timeLimit: 2_147_484 }],
    ['timeLimit', { timeLimit: Infinity }],
    ['profile', { profile: '' }],
    ['profile', { profile: ['profiles'] }],
    ['profile', { profile: {} }],
    ['profile', { profile: { train: 'node train.mjs' } }],
    ['profile.train', { profile: { train: [] } }],
    ['profile', { profile: { train: ['node', 5] } }],
    ['profile', { profile: { train: ['node'], merge: true } }],
    ['profile.timeLimit', { profile: { train: ['node'], timeLimit: 0 } }],
    ['profile.timeLimit', { profile: { train: ['node'], timeLimit: 2_147_484 } }],
    ['profile.timeLimit', { profile: { train: ['node'], timeLimit: Infinity } }],
    ['profile', { profile: { train: ['node'], runs: 'once' } }],
    ['profile.runs', { profile: { train: ['node'], runs: 0 } }],
    ['profile.runs', { profile: { train: ['node'], runs: 1.5 } }],
    ['profile.runs', { profile: { train: ['node'], runs: Infinity } }],
    ['recompile', { recompile: 'relative/folder' }],
    ['recompile', { recompile: 1 }],
    ['web', { web: 'stream' }],
    ['web.delivery', { web: { delivery: 'push' } }],
    ['web.preload', { web: { preload: 'prefetch' } }],
    ['web.integrity', { web: { integrity: 'sha256' } }],
    ['web.cache', { web: { cache: true } }],
    ['recompile.folder', { recompile: { folder: 'cache' } }],
    ['recompile.delay', { recompile: { delay: -1 } }],
    ['recompile.maxSize', { recompile: { maxSize: 0 } }],
    ['recompile', { recompile: { size: 5 } }],
    ['include', { include: 5 }],
    ['exclude', { exclude: [/a/, null] }],
  ])('names the invalid option %s in %j', (name, options) => {
    expect(() => PLUGINS[bundler](options as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining(`\`${name}\``) }),
    );
  });

  test('lists the known options if one is unknown', () => {
    expect(() => PLUGINS[bundler]({ target: ['host'] } as never)).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTIONS',
        message: expect.stringMatching(/unknown option `target` \(known: .*targets.*cache.*\)/),
      }),
    );
  });

  test('lists the values of `web.preload`', () => {
    expect(() => PLUGINS[bundler]({ web: { preload: 'prefetch' } } as never)).toThrow(
      "option `web.preload`: Expected true, false, 'link' or 'all'",
    );
  });

  test('names all invalid options in one error', () => {
    expect(() => PLUGINS[bundler]({ strip: 1, verify: 1 } as never)).toThrow(/`strip`.*`verify`/s);
  });
});

describe('`include` and `exclude`', () => {
  const FILES = {
    'ours/one.wasm': watOfValue(1),
    'theirs/two.wasm': watOfValue(2),
    'main.js': `
      import { value as one } from './ours/one.wasm';
      import init from './theirs/two.wasm?init';
      console.log(JSON.stringify([one(), (await init()).exports.value()]));
    `,
  };
  const vite = { build: { assetsInlineLimit: 0, ssrEmitAssets: true } };

  test.each([
    ['a glob as `include`', { include: '**/ours/**' }],
    ['a RegExp as `include`', { include: /ours\/.*\.wasm$/ }],
    ['a list as `exclude`', { exclude: ['**/theirs/*.wasm', /never/] }],
  ])('leave other files to Vite: %s', async (_, plugin) => {
    const project = await createProject(FILES);
    const { dir, files } = await build('vite', project, { plugin, vite });
    const modules = files.filter((file) => /\.(elf|wasm)$/.test(file));
    expect(modules).toEqual([expect.stringMatching(/one.*\.elf$/), expect.stringMatching(/two.*\.wasm$/)]);
    const { result, loads } = await runWell(join(dir, 'main.js'));
    expect(result).toEqual([1, 2]);
    expect(loads).toHaveLength(1);
  });

  test('leave files that a wasm module imports to Vite', async () => {
    const project = await createProject({
      'ours.wasm': wat(`(module
        (import "./theirs.wasm" "value" (func $value (result i32)))
        (func (export "next") (result i32) (i32.add (call $value) (i32.const 1))))`),
      'theirs.wasm': watOfValue(2),
      'main.js': "import { next } from './ours.wasm'; console.log(next());",
    });
    const { dir, artifacts } = await build('vite', project, { plugin: { exclude: /theirs/ }, vite });
    expect(artifacts).toEqual([expect.stringContaining('ours')]);
    expect((await runWell(join(dir, 'main.js'))).result).toBe(3);
  });
});

describe('`targets`', () => {
  const FILES = {
    'one.wasm': watOfValue(1),
    'main.js': "import { value } from './one.wasm'; console.log(value());",
  };

  test('fails if a target does not exist', async () => {
    const project = await createProject(FILES);
    for (const target of ['/no/such/node', project.folder, project.path('main.js')]) {
      await expect(build('rollup', project, { plugin: { targets: [target] } })).rejects.toThrow(
        expect.objectContaining({ message: expect.stringContaining(`Target ${target} cannot be started`) }),
      );
    }
  });

  test.each(['/bin/true', '/bin/false', '/bin/cat', '/bin/sh', '/bin/echo'])(
    'fails if a target is not a node executable: %s',
    async (target) => {
      const project = await createProject(FILES);
      for (const targets of [[target], ['host', target]]) {
        await expect(build('rollup', project, { plugin: { targets } })).rejects.toThrow(
          expect.objectContaining({
            pluginCode: 'INVALID_OPTIONS',
            message: expect.stringContaining(`Target ${target} does not answer like a node executable`),
          }),
        );
      }
    },
  );

  test('builds without native code, with one warning, if the target crashes', async () => {
    const project = await createProject({
      ...FILES,
      'two.wasm': watOfValue(2),
      'main.js': `
        import { value } from './one.wasm';
        import { value as two } from './two.wasm';
        console.log(value() + two());
      `,
    });
    const target = await createCrashingNode(project.folder, process.execPath);
    const { dir, artifacts, warnings } = await build('rollup', project, { plugin: { targets: [target] } });
    expect(warnings).toEqual([
      expect.stringMatching(/crashing-node cannot be precompiled for: .*SIGABRT.*compiled at startup there/s),
    ]);
    expect(artifacts).toHaveLength(2);
    const { result, loads, stderr } = await runWell(join(dir, 'main.js'));
    expect(result).toBe(3);
    expect(loads).toMatchObject([{ how: 'compiled' }, { how: 'compiled' }]);
    expect(stderr).not.toContain('WASM_PRECOMPILE_FALLBACK');
  });

  test('makes native code for the other targets if one crashes', async () => {
    const project = await createProject(FILES);
    const target = await createCrashingNode(project.folder, process.execPath);
    const { dir, warnings } = await build('rollup', project, { plugin: { targets: [target, 'host'] } });
    expect(warnings).toHaveLength(1);
    expect((await runWell(join(dir, 'main.js'))).loads).toMatchObject([{ how: 'precompiled' }]);
  });

  test('warns once about a target without native code: Node 26 without the native addon', async () => {
    const project = await createProject(FILES);
    const node = await ensureNode('26');
    const foreign = await createForeignNode(project.folder, node);
    const { dir, warnings } = await build('rollup', project, { plugin: { targets: ['host', foreign] } });
    expect(warnings).toEqual([expect.stringMatching(/node 26\.\d+\.\d+ \(V8 14\..* native addon/)]);
    expect((await runWell(join(dir, 'main.js'))).loads).toMatchObject([{ how: 'precompiled' }]);
    expect((await runWell(join(dir, 'main.js'), { node })).result).toBe(1);
  });

  test('makes native code once for two targets with the same engine', async () => {
    const project = await createProject(FILES);
    const { dir } = await build('rollup', project, { plugin: { targets: ['host', process.execPath] } });
    const main = await readFile(join(dir, 'main.js'), 'utf8');
    expect(main.match(/"v8-[\w.-]+"/g)).toHaveLength(1);
  });
});

describe('`fallback`, if the program runs on a Node version that is not a target,', () => {
  const FILES = {
    'one.wasm': watOfValue(1),
    'two.wasm': watOfValue(2),
    'main.js': `
      import one from './one.wasm?module';
      import init from './two.wasm?init';
      const { exports } = await init();
      console.log(new WebAssembly.Instance(one).exports.value() + exports.value());
    `,
  };

  async function runOn22(fallback: 'warn' | 'silent' | 'error' | undefined) {
    const project = await createProject(FILES);
    const { dir } = await build('rollup', project, {
      plugin: { fallback, targets: [await ensureNode('20.19')] },
    });
    return run(join(dir, 'main.js'), { node: await ensureNode('22') });
  }

  test.each(['warn', undefined] as const)(
    'prints one warning with the remedy for both modules: %s',
    async (mode) => {
      const { stdout, stderr, exitCode, loads } = await runOn22(mode);
      expect([exitCode, stdout]).toEqual([0, '3']);
      expect(loads).toMatchObject([{ how: 'compiled' }, { how: 'compiled' }]);
      const warnings = stderr.split('\n').filter((line) => line.includes('[WASM_PRECOMPILE_FALLBACK]'));
      expect(warnings).toEqual([
        expect.stringMatching(
          /one-.*\.elf.*v8-12\.4.* is not among its targets: node 20.*v8-11\.3.*"Deploying"/,
        ),
      ]);
    },
  );

  test('prints only the debug lines with "silent"', async () => {
    const { stdout, stderr, exitCode, loads } = await runOn22('silent');
    expect([exitCode, stdout]).toEqual([0, '3']);
    expect(loads).toMatchObject([{ how: 'compiled' }, { how: 'compiled' }]);
    expect(stderr.trim().split('\n')).toHaveLength(2);
  });

  test('throws an error with the reason with "error"', async () => {
    const { stderr, exitCode, loads } = await runOn22('error');
    expect(exitCode).toBe(1);
    expect(loads).toEqual([]);
    expect(stderr).toMatch(/precompiled code is not used: node \S+ \(v8-\S+\) is not among its targets/);
    expect(stderr).toContain("code: 'WASM_PRECOMPILE_FALLBACK'");
  });
});

test.each([
  { verify: true, how: 'compiled', detail: 'its checksum is wrong' },
  { verify: undefined, how: 'compiled', detail: 'its checksum is wrong' },
  { verify: false, how: 'precompiled', detail: expect.stringContaining('v8-') },
])('native code with a wrong checksum is $how with `verify: $verify`', async ({ verify, how, detail }) => {
  const project = await createProject({
    'one.wasm': watOfValue(1),
    'main.js': "import { value } from './one.wasm'; console.log(value());",
  });
  const { dir } = await build('rollup', project, { plugin: { verify } });
  const main = join(dir, 'main.js');
  // The last checksum in the manifest belongs to the native code; the artifact itself stays unchanged.
  const code = await readFile(main, 'utf8');
  const changed = code.replace(/(.*"?crc32"?: *)\d+/s, '$11');
  expect(changed).not.toBe(code);
  await writeFile(main, changed);
  const { result, loads } = await runWell(main);
  expect(result).toBe(1);
  expect(loads).toMatchObject([{ how, detail }]);
});

/** Returns a custom section with two bytes of contents. */
function custom(name: string): Uint8Array {
  return Uint8Array.of(0, name.length + 3, name.length, ...new TextEncoder().encode(name), 1, 2);
}

describe('`strip`', () => {
  const SECTIONS = ['name', 'producers', '.debug_info', 'mine', 'metadata.code.branch_hint'];
  const module = Buffer.concat([
    wat('(module (func $named (export "value") (result i32) i32.const 1))'),
    ...SECTIONS.slice(1).map(custom),
  ]);
  let files: Record<string, string | Uint8Array>;

  beforeAll(() => {
    files = {
      'one.wasm': module,
      'main.js': `
        import module from './one.wasm?module';
        const has = (name) => WebAssembly.Module.customSections(module, name).length > 0;
        console.log(JSON.stringify(${JSON.stringify(SECTIONS)}.filter(has)));
      `,
    };
  });

  test.each([
    { strip: false, kept: SECTIONS },
    { strip: 'debug', kept: ['name', 'mine', 'metadata.code.branch_hint'] },
    { strip: undefined, kept: ['name', 'mine', 'metadata.code.branch_hint'] },
    { strip: 'all', kept: ['metadata.code.branch_hint'] },
  ] as const)('keeps $kept with the value $strip', async ({ strip, kept }) => {
    const project = await createProject(files);
    const { dir }: BuildResult = await build('rollup', project, { plugin: { strip } });
    const { result, loads } = await runWell(join(dir, 'main.js'));
    expect(result).toEqual(kept);
    expect(loads).toMatchObject([{ how: 'precompiled' }]);
  });
});

test('a module whose compilation exceeds `timeLimit` is shipped without native code, with a warning', async () => {
  const project = await createProject({
    'one.wasm': watOfValue(1),
    'main.js': "import { value } from './one.wasm'; console.log(value());",
  });
  // No process starts in a tenth of a millisecond.
  const { dir, warnings } = await build('rollup', project, { plugin: { timeLimit: 0.0001, cache: false } });
  expect(warnings).toEqual([expect.stringMatching(/one\.wasm: not precompiled for node \d+.*`timeLimit`/)]);
  const { result, loads } = await runWell(join(dir, 'main.js'));
  expect(result).toBe(1);
  expect(loads).toMatchObject([{ how: 'compiled' }]);
});
