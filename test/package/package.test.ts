/** The packed package, in projects without a compiler and without install scripts. */
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import { bulkySample } from '../native/modules.ts';
import { NODE_26, NODES, outcomes, type Result, runCommand } from '../native/support.ts';
import { CHECKOUT } from '../support/project.ts';
import {
  copyProject,
  environment,
  install,
  listTarball,
  pack,
  temporaryFolder,
  toolFolder,
} from './support.ts';

const folder = temporaryFolder();

/** The versions of bundlers that this package is developed with. */
const { devDependencies } = JSON.parse(readFileSync(path.join(CHECKOUT, 'package.json'), 'utf8')) as {
  devDependencies: Record<string, string>;
};
const BUNDLERS = ['vite', 'rollup', 'rolldown'] as const;

let tarball: string;
let project: string;
/** The environment without a compiler. */
let env: Record<string, string>;

beforeAll(async () => {
  tarball = await pack(folder);
  env = environment(folder, await toolFolder(folder, { compiler: false }));
  const packages = BUNDLERS.map((name) => `${name}@${devDependencies[name]}`);
  project = await install(folder, 'project', [tarball, ...packages], env);
  writeFileSync(path.join(project, 'bulky.wasm'), bulkySample());
  writeFileSync(
    path.join(project, 'main.js'),
    `import module from './bulky.wasm?module';
const { exports } = new WebAssembly.Instance(module, { env: { twice: (value) => value * 2 } });
console.log(JSON.stringify(exports.quadruple(21)));
`,
  );
});

/** A script that builds a project's `main.js` into a folder. */
const BUILD = {
  vite: `
import { build } from 'vite';
import wasmPrecompile from 'unplugin-wasm-precompile/vite';
await build({
  logLevel: 'warn', configFile: false, plugins: [wasmPrecompile(options)],
  build: { ssr: 'main.js', outDir: out, emptyOutDir: true },
});`,
  rollup: `
import { rollup } from 'rollup';
import wasmPrecompile from 'unplugin-wasm-precompile/rollup';
await (await rollup({ input: 'main.js', plugins: [wasmPrecompile(options)] })).write({ dir: out });`,
  rolldown: `
import { rolldown } from 'rolldown';
import wasmPrecompile from 'unplugin-wasm-precompile/rolldown';
await (await rolldown({ input: 'main.js', plugins: [wasmPrecompile(options)] })).write({ dir: out });`,
};

/** Builds as a user does, in a process in the project's folder, and returns the path of the program. */
async function build(where: string, bundler: keyof typeof BUILD, targets: string[]): Promise<string> {
  const out = `out-${bundler}`;
  const script = path.join(where, `build-${bundler}.mjs`);
  writeFileSync(
    script,
    `const out = ${JSON.stringify(out)};
const options = ${JSON.stringify({ targets, threshold: 0, inline: 0 })};
${BUILD[bundler]}`,
  );
  await execa(process.execPath, [script], { cwd: where, env, extendEnv: false });
  return path.join(where, out, 'main.js');
}

function expectLoaded(result: Result, outcome: string): void {
  expect(result, result.stderr).toMatchObject({ end: 0, printed: [84] });
  expect(outcomes(result)).toEqual([outcome]);
}

describe('the tarball', () => {
  it('contains only the built package, and the native addon as binaries and as source', async () => {
    const files = await listTarball(tarball);
    const ABIS = ['115', '127', '137', '147'];
    expect(files.filter((file) => file.startsWith('prebuilds/')).toSorted()).toEqual(
      ABIS.map((abi) => `prebuilds/${process.platform}-${process.arch}/node.abi${abi}.node`),
    );
    expect(files).toEqual(
      expect.arrayContaining([
        'package.json',
        'LICENSE',
        'dist/index.js',
        'dist/index.d.ts',
        'dist/types.d.ts',
        'dist/cli/index.js',
        'dist/runtime/node/index.js',
        'dist/v8/compile-host.js',
        'src/native/addon.cc',
        'src/native/binding.gyp',
        'src/native/crc32.cc',
        'src/native/crc32.h',
        'src/native/file_view.cc',
        'src/native/file_view.h',
        'src/native/memory_filler.cc',
        'src/native/memory_filler.h',
        'src/native/page_dropper.cc',
        'src/native/page_dropper.h',
        'src/native/prefetch.cc',
        'src/native/prefetch.h',
        'src/native/prepared_heap.cc',
        'src/native/prepared_heap.h',
        'src/native/thread.h',
        'src/native/v8_embedder_api.cc',
        'src/native/v8_natives.cc',
      ]),
    );
    const others = files.filter(
      (file) =>
        file !== '' &&
        !/^(dist|prebuilds|src\/native)\/|^(package\.json|LICENSE|README\.md|CHANGELOG\.md)$/.test(file),
    );
    expect(others).toEqual([]);
  });
});

describe('installed without scripts and without a compiler', () => {
  it.each(BUNDLERS)(
    'builds a program with %s whose module is precompiled and mapped in all Node versions',
    async (bundler) => {
      const main = await build(
        project,
        bundler,
        NODES.map(({ node }) => node),
      );
      for (const { node } of NODES) {
        const result = await runCommand(node, [main], { env });
        expectLoaded(result, 'precompiled mapped');
        expect(result.warnings).toEqual([]);
      }
    },
  );

  it.each(NODES)('builds in Node $version for itself', async ({ node }) => {
    const script = path.join(project, 'build-host.mjs');
    writeFileSync(
      script,
      `const out = 'out-host';\nconst options = { threshold: 0, inline: 0 };\n${BUILD.rollup}`,
    );
    await execa(node, [script], { cwd: project, env, extendEnv: false });
    const result = await runCommand(node, [path.join(project, 'out-host/main.js')], { env });
    expectLoaded(result, 'precompiled mapped');
  });

  it.each(NODES)('exports importable modules in Node $version', async ({ node }) => {
    const { exports } = JSON.parse(readFileSync(path.join(CHECKOUT, 'package.json'), 'utf8')) as {
      exports: Record<string, unknown>;
    };
    const names = Object.entries(exports).filter(([, target]) => typeof target === 'string');
    const script = path.join(project, 'imports.mjs');
    writeFileSync(
      script,
      `const names = ${JSON.stringify(names.map(([name]) => `unplugin-wasm-precompile${name.slice(1)}`))};
for (const name of names) {
  const attributes = name.endsWith('.json') ? { with: { type: 'json' } } : {};
  const module = await import(name, attributes);
  console.log(JSON.stringify([name, Object.keys(module).length > 0]));
}`,
    );
    const { end, printed, stderr } = await runCommand(node, ['--no-warnings', script], { env });
    expect(end, stderr).toBe(0);
    expect(printed).toEqual(names.map(([name]) => [`unplugin-wasm-precompile${name.slice(1)}`, true]));
  });

  it('runs the command', async () => {
    const command = path.join(project, 'node_modules/.bin/wasm-precompile');
    const { stdout } = await execa(
      command,
      ['compile', 'bulky.wasm', '-o', 'compiled', '-t', NODE_26, '--json'],
      {
        cwd: project,
        env,
        extendEnv: false,
      },
    );
    expect(JSON.parse(stdout)).toMatchObject([
      { native: [{ engine: expect.stringMatching(/^v8-14\.6\./) }] },
    ]);
  });
});

describe('types', () => {
  const TSC = path.join(CHECKOUT, 'node_modules/typescript/bin/tsc');

  const USE = `
import type { Plugin as RolldownPlugin } from 'rolldown';
import type { Plugin as RollupPlugin } from 'rollup';
import type { PluginOption } from 'vite';
import unplugin, { type Options } from 'unplugin-wasm-precompile';
import { type ArtifactManifest, fromArtifact, initializer } from 'unplugin-wasm-precompile/runtime';
import rolldown from 'unplugin-wasm-precompile/rolldown';
import rollup from 'unplugin-wasm-precompile/rollup';
import vite from 'unplugin-wasm-precompile/vite';
import init from './bulky.wasm?init';
import module from './bulky.wasm?module';
import url from './bulky.wasm?url';
import { quadruple } from './bulky.wasm';

const options: Options = { targets: ['host'], fallback: 'silent' };
export const plugins: [RolldownPlugin | RolldownPlugin[], RollupPlugin | RollupPlugin[], PluginOption] = [
  rolldown(options),
  rollup(options),
  vite(options),
];
export const raw: object = unplugin;
export const loading: Promise<WebAssembly.Instance> = init({ env: {} });
export const instance: WebAssembly.Instance = new WebAssembly.Instance(module);
export const text: string = url;
export const sum: unknown = quadruple(1);
declare const manifest: ArtifactManifest;
export const loaded: WebAssembly.Module = fromArtifact(url, manifest, { verify: true, fallback: 'warn' }).loadSync();
export const initialize: unknown = initializer;
`;

  const check = async (moduleKind: string, resolution: string, source: string) => {
    const where = copyProject(project, `types-${resolution}-${source.length}`);
    writeFileSync(path.join(where, 'use.ts'), source);
    writeFileSync(
      path.join(where, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          module: moduleKind,
          moduleResolution: resolution,
          target: 'ES2022',
          lib: ['ES2023', 'DOM'],
          strict: true,
          noEmit: true,
          skipLibCheck: true,
          types: ['unplugin-wasm-precompile/types'],
        },
        files: ['use.ts'],
      }),
    );
    const { exitCode, stdout } = await execa(process.execPath, [TSC, '-p', where], { reject: false });
    return { exitCode, stdout };
  };

  it.each([
    { moduleKind: 'NodeNext', resolution: 'NodeNext' },
    { moduleKind: 'ESNext', resolution: 'Bundler' },
  ])('are correct for moduleResolution $resolution', async ({ moduleKind, resolution }) => {
    expect(await check(moduleKind, resolution, USE)).toEqual({ exitCode: 0, stdout: '' });
    // The types reject invalid options.
    const wrong = await check(moduleKind, resolution, USE.replace("fallback: 'silent'", 'fallback: 5'));
    expect(wrong.exitCode).not.toBe(0);
    expect(wrong.stdout).toContain("Type 'number' is not assignable to type");
  });
});

describe('types beside those of Vite', () => {
  const TSC = path.join(CHECKOUT, 'node_modules/typescript/bin/tsc');

  const check = async (name: string, types: string[]) => {
    const where = copyProject(project, name);
    writeFileSync(
      path.join(where, 'use.ts'),
      `import { quadruple } from './bulky.wasm';
import init from './bulky.wasm?init';
import module from './bulky.wasm?module';
import url from './bulky.wasm?url';
export const sum: unknown = quadruple(1);
export const loading: Promise<WebAssembly.Instance> = init({ env: {} });
export const instance: WebAssembly.Instance = new WebAssembly.Instance(module);
export const text: string = url;
`,
    );
    const compilerOptions = {
      module: 'ESNext',
      moduleResolution: 'Bundler',
      target: 'ES2022',
      lib: ['ES2023', 'DOM'],
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      types,
    };
    writeFileSync(path.join(where, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.ts'] }));
    const { exitCode, stdout } = await execa(process.execPath, [TSC, '-p', where], { reject: false });
    return { exitCode, stdout };
  };

  it('are correct if they come first, also with `skipLibCheck: false`', async () => {
    const types = ['unplugin-wasm-precompile/types', 'vite/client'];
    expect(await check('types-first', types)).toEqual({ exitCode: 0, stdout: '' });
  });

  it('conflict only in the named exports if they come second', async () => {
    const { stdout } = await check('types-second', ['vite/client', 'unplugin-wasm-precompile/types']);
    expect(stdout).toMatch(/^\S*use\.ts\(1,10\): error TS2305: .*no exported member 'quadruple'\.$/);
  });
});

describe('the main export', () => {
  it('has exactly the supported bundlers', async () => {
    const { default: plugins } = (await import('unplugin-wasm-precompile')) as { default: object };
    const supported = ['bun', 'esbuild', 'farm', 'rolldown', 'rollup', 'rspack', 'vite', 'webpack'];
    expect(Object.keys(plugins).toSorted()).toEqual(supported);
    for (const plugin of Object.values(plugins)) expect(plugin).toBeTypeOf('function');
  });
});

const buildAddon = (where: string, args: string[], variables: Record<string, string>) =>
  execa(path.join(where, 'node_modules/.bin/wasm-precompile'), ['addon', 'build', ...args], {
    cwd: where,
    env: variables,
    extendEnv: false,
    reject: false,
  });

/** Returns an installation without prebuilt binaries, as on other platforms. */
function withoutBinaries(name: string): string {
  const where = copyProject(project, name);
  rmSync(path.join(where, 'node_modules/unplugin-wasm-precompile/prebuilds'), { recursive: true });
  return where;
}

describe('wasm-precompile addon build', () => {
  it('builds missing binaries, which later builds use', async () => {
    const where = withoutBinaries('with-compiler');
    const before = await build(where, 'rollup', [process.execPath, NODE_26]);
    expectLoaded(await runCommand(process.execPath, [before], { env }), 'precompiled read');
    expectLoaded(await runCommand(NODE_26, [before], { env }), 'compiled read');

    const tools = environment(folder, await toolFolder(folder, { compiler: true }));
    const { exitCode, stdout, stderr } = await buildAddon(where, ['--target', 'host', NODE_26], tools);
    expect(exitCode, stderr).toBe(0);
    const prebuilds = path.join(where, 'node_modules/unplugin-wasm-precompile/prebuilds');
    const file = (abi: string) =>
      path.join(prebuilds, `${process.platform}-${process.arch}`, `node.abi${abi}.node`);
    expect(stdout.split('\n')).toEqual([file(process.versions.modules), file('147')]);

    const after = await build(where, 'rollup', [process.execPath, NODE_26]);
    expectLoaded(await runCommand(process.execPath, [after], { env }), 'precompiled mapped');
    expectLoaded(await runCommand(NODE_26, [after], { env }), 'precompiled mapped');
  });

  it.each([
    { missing: 'everything', without: undefined, says: /python/i },
    { missing: 'make', without: ['make'], says: /make/ },
    { missing: 'the compiler', without: ['cc', 'gcc', 'c++', 'g++'], says: /g\+\+|c\+\+|cc/ },
  ])(
    'without $missing fails with the missing program, and says that builds still work',
    async ({ missing, without, says }) => {
      const where = withoutBinaries(`without-${missing.replace(' ', '-')}`);
      const tools = await toolFolder(folder, without ? { compiler: true, without } : { compiler: false });
      const { exitCode, stdout, stderr } = await buildAddon(
        where,
        ['--target', NODE_26],
        environment(folder, tools),
      );
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
      const [found = '', needed = ''] = stderr.split('It needs a C++20 compiler, make and Python 3');
      expect(found).toContain('The native addon cannot be built: ');
      expect(found).toMatch(says);
      expect(needed).toContain('Without it everything still works');
      expect(stderr).not.toMatch(/^\s+at /m);

      const main = await build(where, 'rollup', [process.execPath]);
      expectLoaded(await runCommand(process.execPath, [main], { env }), 'precompiled read');
    },
  );

  describe('for a node without headers beside it', () => {
    /** The source of headers is a port without a server. */
    const NO_DOWNLOAD = { npm_config_disturl: 'http://127.0.0.1:1/' };
    const HEADERS = path.join(path.dirname(NODE_26), '..');
    let bare: string;
    let tools: Record<string, string>;

    beforeAll(async () => {
      const bareFolder = path.join(folder, 'bare');
      mkdirSync(bareFolder);
      bare = path.join(bareFolder, 'node');
      copyFileSync(NODE_26, bare);
      tools = environment(folder, await toolFolder(folder, { compiler: true }));
    });

    it.each([
      { configured: 'nothing', variables: {} },
      {
        configured: 'headers of another version',
        variables: { npm_config_nodedir: path.join(path.dirname(process.execPath), '..') },
      },
    ])('fails because of the download with $configured configured', async ({ variables }) => {
      const { exitCode, stderr } = await buildAddon(project, ['--target', bare], {
        ...tools,
        ...NO_DOWNLOAD,
        ...variables,
      });
      expect(exitCode).toBe(1);
      expect(stderr).toMatch(/the headers of Node 26\.\d+\.\d+ could not be downloaded/);
      expect(stderr).toContain('npm_config_nodedir');
      expect(stderr).not.toContain('C++20');
      expect(stderr).toContain('Without it everything still works');
    });

    it('builds with the headers in npm_config_nodedir', async () => {
      const where = withoutBinaries('with-nodedir');
      const { exitCode, stdout, stderr } = await buildAddon(where, ['--target', bare], {
        ...tools,
        ...NO_DOWNLOAD,
        npm_config_nodedir: HEADERS,
      });
      expect(exitCode, stderr).toBe(0);
      expect(stdout).toMatch(/node\.abi147\.node$/);
    });
  });

  it('fails with the path of a target that is not a node executable', async () => {
    const { exitCode, stderr } = await buildAddon(project, ['--target', '/bin/true'], env);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('/bin/true does not answer like a node executable');
  });
});
