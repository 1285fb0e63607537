/** `profile: { train: … }`: one build that runs its output and trims native code to the executed functions. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { SourceMap } from 'node:module';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { rollup } from 'rollup';
import type { Options, TrainingOptions } from 'unplugin-wasm-precompile';
import rollupPlugin from 'unplugin-wasm-precompile/rollup';
import { describe, expect, test } from 'vitest';
import { unpackArtifact } from '../../src/artifact/unpack.ts';
import {
  build,
  BUNDLERS,
  type BuildResult,
  type CommonPlugin,
  type PluginOptions,
} from '../support/bundlers.ts';
import { ensureNode, NODE_VERSIONS } from '../support/nodes.ts';
import {
  CHECKOUT,
  createProject,
  type Project,
  readPackage,
  run,
  runWell,
  SHARED_CACHE,
} from '../support/project.ts';
import { isRunning } from '../train/support.ts';
import { watOf } from '../support/profiled-module.ts';
import { wat } from '../support/wat.ts';

/** The entry imports `one`, a separate chunk imports `two`. */
async function createTrainedProject(train: string): Promise<{ project: Project; plugin: PluginOptions }> {
  const project = await createProject({
    'one.wasm': watOf(),
    'two.wasm': watOf('(func $more (export "more") (result i32) i32.const 1)'),
    'host.js': 'export const seven = () => 7;',
    'main.js': `
      import { start } from './one.wasm';
      const { run } = await import('./lazy.js');
      console.log(JSON.stringify([start(), await run()]));
    `,
    'lazy.js': `
      import init from './two.wasm?init';
      export async function run() {
        const { exports } = await init({ './host.js': { seven: () => 8 } });
        return exports.start();
      }
    `,
    'train.mjs': train,
  });
  return {
    project,
    plugin: { profile: { train: [process.execPath, project.path('train.mjs')], timeLimit: 60 } },
  };
}

const TRAIN = `await import('./out/main.js');`;

async function unpackAll({ dir, artifacts }: Pick<BuildResult, 'dir' | 'artifacts'>) {
  const all = await Promise.all(
    artifacts.map(async (file) => unpackArtifact(await readFile(join(dir, file)), file)),
  );
  return all.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

const compiledOf = (artifacts: Awaited<ReturnType<typeof unpackAll>>) =>
  artifacts.map(({ native }) => native.map(({ functions }) => functions.map(({ index }) => index)));

/** Every function of both modules. */
const ALL = [[[1, 2, 3]], [[1, 2, 3, 4]]];
/** The functions that `start` executes. */
const EXECUTED = [[[1, 3]], [[2, 4]]];

async function expectWorking(built: BuildResult): Promise<void> {
  const { result, loads } = await runWell(join(built.dir, 'main.js'));
  expect(result).toEqual([42, 48]);
  expect(loads).toMatchObject([{ how: 'precompiled' }, { how: 'precompiled' }]);
}

const NESTED = {
  chunkFileNames: 'chunks/deep/[name].[hash].js',
  assetFileNames: 'assets/[hash]/[name][extname]',
};

const REGISTER = 'wasm-precompile-register.mjs';

describe.each(BUNDLERS)('%s', (bundler) => {
  test.each([
    ['by default', {}],
    ['in nested folders, with other names', NESTED],
    ['without hashes', { chunkFileNames: '[name].js', assetFileNames: '[name][extname]' }],
  ])('trains its output, names %s', async (_, names) => {
    const { project, plugin } = await createTrainedProject(TRAIN);
    const untrained = await build(bundler, project, { output: { dir: 'untrained', ...names } });
    const built = await build(bundler, project, { plugin, output: names });
    expect(built.warnings).toEqual([]);
    const artifacts = await unpackAll(built);
    expect(compiledOf(artifacts)).toEqual(EXECUTED);
    expect(artifacts.map(({ profile }) => profile)).toEqual([
      expect.stringContaining('start'),
      expect.stringContaining('start'),
    ]);
    await expectWorking(built);
    await expectWorking(untrained);

    await expectDescribed(built);

    // No old file remains, and a file with changed contents has a new name if names have hashes.
    // The register file is empty, since the program compiles no module itself.
    expect((await project.read('out', REGISTER)).toString()).toMatch(/^\/\/ .*\n$/);
    const files = built.files.filter((file) => file !== REGISTER);
    expect(files).toHaveLength(untrained.files.length);
    const same = files.filter((file) => untrained.files.includes(file));
    for (const file of same) {
      if ('chunkFileNames' in names && names.chunkFileNames === '[name].js') continue;
      if (file === 'main.js') continue;
      const contents = await Promise.all([built, untrained].map(({ dir }) => readFile(join(dir, file))));
      expect(contents[0]?.equals(contents[1] ?? Buffer.alloc(0)), file).toBe(true);
    }
  });

  test.each([true, 'inline', 'hidden'] as const)(
    'keeps source maps consistent, kind %j',
    async (sourcemap) => {
      const { project, plugin } = await createTrainedProject(TRAIN);
      const seen: BuildResult['bundled'] = [];
      const later: CommonPlugin = {
        name: 'later',
        writeBundle: {
          order: 'post',
          sequential: true,
          handler(_, bundle) {
            for (const [key, file] of Object.entries(bundle)) {
              expect(key).toBe(file.fileName);
              const { fileName, code, source, map, imports, dynamicImports } = file;
              seen.push({
                fileName,
                ...(code !== undefined && { code, imports, dynamicImports, map }),
                ...(source !== undefined && { source }),
              } as BuildResult['bundled'][number]);
            }
          },
        },
      };
      const built = await build(bundler, project, {
        plugin,
        pluginsAfter: [later],
        ...(bundler === 'vite' ? { vite: { build: { sourcemap } } } : { output: { sourcemap } }),
      });
      expect(built.warnings).toEqual([]);
      await expectDescribed(built);
      await expectDescribed({ ...built, bundled: seen });
      let found = 0;
      for (const { fileName, code, map } of built.bundled) {
        if (code === undefined) continue;
        const json = await readMap(built.dir, fileName, code);
        expect(json.file).toBe(basename(fileName));
        expect(map).toMatchObject({ file: json.file, sourcesContent: json.sourcesContent });
        const ids = buildIds(json.sourcesContent?.join('\n') ?? '');
        expect(ids).toEqual(buildIds(code));
        found += ids.length;
      }
      expect(found).toBe(2);
    },
  );
});

/** Returns the build IDs in all manifests of a text, also of manifests inside a double-quoted string. */
const buildIds = (text: string) => [...text.matchAll(/\bbuildId\\?":\\?"(\w+)/g)].map(([, id]) => id);

/** Expects that the bundler's description of an output matches the files on the disk. */
async function expectDescribed({ dir, files, bundled }: BuildResult): Promise<void> {
  for (const { fileName, code, source, imports = [], dynamicImports = [] } of bundled) {
    const onDisk = await readFile(join(dir, fileName));
    expect(onDisk.equals(Buffer.from(code ?? source ?? '')), fileName).toBe(true);
    for (const imported of [...imports, ...dynamicImports]) {
      if (!imported.startsWith('node:')) expect(files).toContain(imported);
    }
  }
  expect(bundled.map(({ fileName }) => fileName).toSorted()).toEqual(files);
}

async function readMap(
  dir: string,
  fileName: string,
  code: string,
): Promise<NonNullable<BuildResult['bundled'][number]['map']>> {
  const [, base64] = /sourceMappingURL=data:.*?;base64,(.*)$/m.exec(code) ?? [];
  const json =
    base64 === undefined ? await readFile(join(dir, `${fileName}.map`)) : Buffer.from(base64, 'base64');
  return JSON.parse(json.toString());
}

test('source maps with hashes in their names get new hashes', async () => {
  const { project, plugin } = await createTrainedProject(TRAIN);
  const output = { sourcemap: true, sourcemapFileNames: 'maps/[name]-[hash].js.map' };
  const untrained = await build('rollup', project, { output: { ...output, dir: 'untrained' } });
  // Without splitting, both outputs include the same runtime.
  const built = await build('rollup', project, { plugin: { ...plugin, split: false }, output });
  expect(built.warnings).toEqual([]);
  await expectDescribed(built);
  const maps = built.files.filter((file) => file.endsWith('.map'));
  const changed = maps.filter((file) => !untrained.files.includes(file));
  expect(changed).toEqual([
    expect.stringMatching(/^maps\/lazy-[0-9a-f]{8}\.js\.map$/),
    expect.stringMatching(/^maps\/main-[0-9a-f]{8}\.js\.map$/),
  ]);
  // Rollup omits the folder.
  const mentioned = built.bundled.flatMap(
    ({ code }) => /sourceMappingURL=(.*)$/m.exec(code ?? '')?.[1] ?? [],
  );
  expect(mentioned.toSorted()).toEqual(maps.map((file) => basename(file)));
});

test('a build warns about names that keep their hashes', async () => {
  const { project, plugin } = await createTrainedProject(TRAIN);
  const escape: CommonPlugin = {
    name: 'escape',
    writeBundle: {
      order: 'post',
      sequential: true,
      handler() {
        const main = project.path('out/main.js');
        writeFileSync(main, readFileSync(main, 'utf8').replace('./lazy-', String.raw`./l\u0061zy-`));
      },
    },
  };
  const built = await build('rollup', project, { plugin, plugins: [escape] });
  expect(built.warnings).toEqual([
    expect.stringMatching(
      /names keep the hash .* not all references .*: assets\/one-[\w-]+\.elf, assets\/two-[\w-]+\.elf, lazy-[\w-]+\.js\./,
    ),
  ]);
  expect(compiledOf(await unpackAll(built))).toEqual(EXECUTED);
  await expectWorking(built);
});

test('builds with the same executed functions are equal, and more executed functions change the names', async () => {
  const { project, plugin } = await createTrainedProject(TRAIN);
  const first = await build('rollup', project, { plugin });
  const again = await build('rollup', project, { plugin });
  expect(new Set(again.files)).toEqual(new Set(first.files));
  await project.write({
    'main.js': `
      import { start, unused } from './one.wasm';
      const { run } = await import('./lazy.js');
      if (process.env.MORE) unused();
      console.log(JSON.stringify([start(), await run()]));
    `,
  });
  const less = await build('rollup', project, { plugin, output: { dir: 'out' } });
  const train = [process.execPath, project.path('train.mjs')];
  await project.write({ 'train.mjs': `process.env.MORE = '1'; ${TRAIN}` });
  const more = await build('rollup', project, { plugin: { profile: { train } } });
  const added = artifactsOfOne(more).filter((file) => !artifactsOfOne(less).includes(file));
  expect(added).toHaveLength(1);
  expect((await runWell(join(more.dir, 'main.js'), { env: { MORE: '1' } })).result).toEqual([42, 48]);
});

describe('Vite', () => {
  test('keeps its manifest and minified code consistent', async () => {
    const { project, plugin } = await createTrainedProject(TRAIN);
    const built = await build('vite', project, {
      plugin,
      vite: { build: { manifest: true, minify: true } },
    });
    expect(built.warnings).toEqual([]);
    expect(compiledOf(await unpackAll(built))).toEqual(EXECUTED);
    await expectWorking(built);
    const manifest = JSON.parse(await readFile(join(built.dir, '.vite/manifest.json'), 'utf8'));
    const named = Object.values<{ file: string; assets?: string[] }>(manifest).flatMap(
      ({ file, assets = [] }) => [file, ...assets],
    );
    expect(named.length).toBeGreaterThan(1);
    for (const file of named) expect(built.files).toContain(file);
  });

  test('keeps positions in source maps correct', async () => {
    const { project, plugin } = await createTrainedProject(TRAIN);
    const built = await build('vite', project, {
      plugin,
      vite: { build: { sourcemap: true, minify: true } },
    });
    expect(compiledOf(await unpackAll(built))).toEqual(EXECUTED);
    const main = await readFile(join(built.dir, 'main.js'), 'utf8');
    const mapFile = /\/\/# sourceMappingURL=(.*)$/m.exec(main)?.[1] ?? '';
    const map = new SourceMap(JSON.parse(await readFile(join(built.dir, mapFile), 'utf8')));
    // A position after the artifact's manifest, on the same line.
    const lines = main.split('\n');
    const line = lines.findIndex((text) => text.includes('console.log'));
    const column = lines[line]?.indexOf('console.log') ?? -1;
    const entry = map.findEntry(line, column);
    expect(entry).toMatchObject({ originalSource: expect.stringContaining('main.js'), originalLine: 3 });
  });
});

test('sql.js is trimmed to the functions that a query executes', async () => {
  const project = await createProject({
    'sql-wasm.wasm': await readPackage('sql.js/dist/sql-wasm.wasm'),
    'main.js': `
      import init from './sql-wasm.wasm?init';
      import initSqlJs from 'sql.js';
      const SQL = await initSqlJs({
        instantiateWasm(imports, done) {
          init(imports).then(done);
          return {};
        },
      });
      console.log(JSON.stringify(new SQL.Database().exec('select sum(value) from json_each(\\'[1,2,39]\\')')[0].values));
    `,
  });
  const train = [process.execPath, project.path('out/main.js')];
  const built = await build('vite', project, { plugin: { profile: { train } } });
  expect(built.warnings).toEqual([]);
  const [artifact] = await unpackAll(built);
  const { functions = 0, compiled = 0 } = artifact?.native[0]?.statistics ?? {};
  expect(compiled).toBeGreaterThan(100);
  expect(compiled).toBeLessThan(functions / 2);
  const { result, loads } = await runWell(join(built.dir, 'main.js'));
  expect(result).toEqual([[42]]);
  expect(loads).toMatchObject([{ how: 'precompiled' }]);
});

describe('code that was optimised during training', () => {
  type Version = (typeof NODE_VERSIONS)[number];

  const LOOP = wat(`(module
    (func $tiny (param i32) (result i32) local.get 0 i32.const 1 i32.add)
    (func $loop (export "loop") (param $n i32) (result i32) (local $value i32)
      loop $next
        local.get $value call $tiny local.set $value
        local.get $n i32.const 1 i32.sub local.tee $n
        br_if $next
      end
      local.get $value))`);

  /** Returns the instructions of `loop` from a build whose training calls it this many times. */
  async function instructionsOfLoop(calls: number, targetVersion: Version, trainVersion: Version) {
    const [target, trainer] = await Promise.all([ensureNode(targetVersion), ensureNode(trainVersion)]);
    const project = await createProject({
      'loop.wasm': LOOP,
      'main.js': `
        import { loop } from './loop.wasm';
        for (let call = 0; call < Number(process.env.CALLS ?? 0); call++) loop(1_000_000);
        // V8 optimises in another thread.
        await new Promise((resolve) => setTimeout(resolve, 100));
        console.log(loop(7));
      `,
      'train.mjs': `process.env.CALLS = '${calls}'; ${TRAIN}`,
    });
    const train = [trainer, project.path('train.mjs')];
    const built = await build('rollup', project, { plugin: { profile: { train }, targets: [target] } });
    expect(built.warnings).toEqual([]);
    const { stdout, loads } = await run(join(built.dir, 'main.js'), { node: target });
    expect(stdout).toBe('7');
    expect(loads).toMatchObject([{ how: 'precompiled' }]);
    const [artifact] = await unpackAll(built);
    const [native] = artifact?.native ?? [];
    const { offset = 0, size = 0 } = native?.functions.find(({ index }) => index === 1) ?? {};
    return {
      instructions: Buffer.from(native?.bytes.subarray(offset, offset + size) ?? []).toString('hex'),
      hot: artifact?.profile?.includes(' hot "loop"'),
    };
  }

  test.each(['24', '26'] as const)('is kept for the same V8, in Node %s', async (version) => {
    const cold = await instructionsOfLoop(0, version, version);
    const hot = await instructionsOfLoop(300, version, version);
    expect([cold.hot, hot.hot]).toEqual([false, true]);
    expect(hot.instructions).not.toBe(cold.instructions);
  });

  test.each(['20.19', '22'] as const)(
    'is replaced by ahead-of-time code if V8 does not inline, in Node %s',
    async (version) => {
      const cold = await instructionsOfLoop(0, version, version);
      const hot = await instructionsOfLoop(300, version, version);
      expect(hot).toEqual({ instructions: cold.instructions, hot: true });
    },
  );

  test('is replaced by ahead-of-time code for another V8', async () => {
    const cold = await instructionsOfLoop(0, '24', '24');
    const hot = await instructionsOfLoop(300, '24', '26');
    expect(hot).toEqual({ instructions: cold.instructions, hot: true });
  });
});

describe('several outputs of one build', () => {
  const FORMATS = [
    { format: 'es', entryFileNames: '[name].mjs' },
    { format: 'cjs', entryFileNames: '[name].cjs' },
  ] as const;

  /** The training runs only the program of the second format. */
  async function createBundle(train = `await import('./out/main.cjs');`) {
    const { project, plugin } = await createTrainedProject(train);
    await project.write({
      'main.js': `
        import init from './two.wasm?init';
        init({ './host.js': { seven: () => 8 } }).then(({ exports }) => console.log(exports.start()));
      `,
    });
    const warnings: string[] = [];
    const bundle = await rollup({
      input: project.path('main.js'),
      onLog: (level, { message }) => {
        if (level === 'warn') warnings.push(message);
      },
      plugins: [rollupPlugin({ cache: SHARED_CACHE, threshold: 0, ...plugin } as Options)],
    });
    const write = (index: 0 | 1, assetFileNames = 'assets/[name]-[hash][extname]') =>
      bundle.write({ dir: project.path('out'), assetFileNames, ...FORMATS[index] });
    const expectPrecompiled = async () => {
      for (const name of ['main.mjs', 'main.cjs']) {
        const { result, loads } = await runWell(project.path('out', name));
        expect(result).toBe(48);
        expect(loads).toMatchObject([{ how: 'precompiled' }]);
      }
    };
    return { project, bundle, write, warnings, expectPrecompiled };
  }

  test.each(['assets/[name]-[hash][extname]', '[name][extname]'])(
    'are trained if written concurrently, assets named %s',
    async (names) => {
      const { bundle, write, expectPrecompiled } = await createBundle();
      await Promise.all([write(0, names), write(1, names)]);
      await bundle.close();
      await expectPrecompiled();
    },
  );

  test.each(['assets/[name]-[hash][extname]', '[name][extname]'])(
    'are trained if written sequentially, except the first, which is too early, assets named %s',
    async (names) => {
      const { project, bundle, write, warnings, expectPrecompiled } = await createBundle();
      await write(0, names);
      expect(warnings).toEqual([expect.stringMatching(/Training failed.*exit code 1/s)]);
      await write(1, names);
      await bundle.close();
      await expectPrecompiled();
      const artifacts = (await project.list('out')).filter((file) => file.endsWith('.elf'));
      expect(compiledOf(await unpackAll({ dir: project.path('out'), artifacts }))).toEqual([EXECUTED[1]]);
    },
  );

  test('are each trained if written sequentially', async () => {
    const { bundle, write, warnings, expectPrecompiled } = await createBundle(
      `await import(process.argv[1].replace('train', 'out/main')).catch(() => import('./out/main.cjs'));`,
    );
    await write(0);
    await write(1);
    await bundle.close();
    expect(warnings).toEqual([
      expect.stringMatching(
        /names keep the hash .*, since other outputs are written to the same folder: assets/,
      ),
    ]);
    await expectPrecompiled();
  });
});

test('training calls a function that names assets only for assets of the plugin', async () => {
  const { project, plugin } = await createTrainedProject(TRAIN);
  const built = await build('rollup', project, {
    plugin,
    output: {
      sourcemap: true,
      // Many projects write it so, although some assets have no names.
      assetFileNames: ({ names }) => `${names[0]?.split('.').at(-1)?.toUpperCase()}/[name]-[hash][extname]`,
    },
  });
  expect(built.warnings).toEqual([]);
  expect(compiledOf(await unpackAll(built))).toEqual(EXECUTED);
  await expectWorking(built);
});

/**
 * Interrupts a build while it trains.
 *
 * @param listens whether the building program has a listener for the signal
 * @param inRun the training run to interrupt; earlier runs end by themselves
 */
async function interruptBuild(signal: 'SIGINT' | 'SIGTERM', listens: boolean, inRun: 1 | 2 = 1) {
  // A shell does not pass signals on, and the trained program delays its end.
  const { project } = await createTrainedProject(`
    ${TRAIN}
    const { appendFileSync, readFileSync, writeFileSync } = await import('node:fs');
    appendFileSync('runs', '.');
    if (readFileSync('runs').length < ${inRun}) process.exit();
    process.on('${signal}', () => setTimeout(() => process.exit(), 500));
    setInterval(() => {}, 1000);
    writeFileSync('started', String(process.pid));
  `);
  await project.write({
    'build.mjs': `
      import { rollup } from 'rollup';
      import plugin from ${JSON.stringify(join(CHECKOUT, 'dist/rollup.js'))};
      ${listens ? `process.on('${signal}', () => console.log('received'));` : ''}
      const train = ['sh', '-c', '"$0" train.mjs; true', process.execPath];
      const options = { cache: ${JSON.stringify(SHARED_CACHE)}, threshold: 0, profile: { train } };
      const onLog = (level, { message }) => level === 'warn' && console.log(message);
      const bundle = await rollup({ input: 'main.js', onLog, plugins: [plugin(options)] });
      await bundle.write({ dir: 'out' });
      console.log('written');
    `,
  });
  const building = execa(process.execPath, ['build.mjs'], { cwd: project.folder, reject: false });
  await expect.poll(() => existsSync(project.path('started')), { timeout: 60_000 }).toBe(true);
  building.kill(signal);
  const { signal: endedBy, stdout } = await building;
  expect(isRunning(Number(await project.read('started')))).toBe(false);
  return { endedBy, stdout };
}

describe('training runs that differ', () => {
  /** The script of a later run that executes more, and the functions of both modules that all runs have executed. */
  const MORE = `process.env.MORE = '1'; ${TRAIN}`;
  const EXECUTED_WITH_MORE = [[[1, 2, 3]], [[2, 4]]];

  /** @param second the script of the second run; all others run the usual script */
  async function buildWithRuns(second: string, profile: { runs?: number }) {
    const { project, plugin } = await createTrainedProject(`
      import { appendFileSync, readFileSync } from 'node:fs';
      const log = new URL('runs', import.meta.url);
      appendFileSync(log, '.');
      if (readFileSync(log).length === 2) { ${second} } else { ${TRAIN} }
    `);
    await project.write({
      'main.js': `
        import { start, unused } from './one.wasm';
        const { run } = await import('./lazy.js');
        if (process.env.MORE) unused();
        console.log(JSON.stringify([start(), await run()]));
      `,
    });
    const training = { ...(plugin.profile as TrainingOptions), ...profile };
    const built = await build('rollup', project, { plugin: { profile: training } });
    await expectWorking(built);
    return {
      warnings: built.warnings,
      executed: compiledOf(await unpackAll(built)),
      runs: (await project.read('runs')).length,
    };
  }

  test.each([
    ['five times by default', {}, 5, EXECUTED_WITH_MORE],
    ['once', { runs: 1 }, 1, EXECUTED],
    ['twice', { runs: 2 }, 2, EXECUTED_WITH_MORE],
    ['four times', { runs: 4 }, 4, EXECUTED_WITH_MORE],
  ])('are repeated %s: %j', async (_, profile, runs, executed) => {
    expect(await buildWithRuns(MORE, profile)).toEqual({ warnings: [], executed, runs });
  });

  test('keep the functions of earlier runs if one fails, with a warning', async () => {
    const { warnings, executed, runs } = await buildWithRuns(
      `${MORE}; console.log('again'); process.exit(3);`,
      {},
    );
    expect({ executed, runs }).toEqual({ executed: EXECUTED, runs: 2 });
    expect(warnings).toEqual([
      expect.stringMatching(/^.*Training, run 2: .* failed with exit code 3\. .*`profile: .*runs: 1.*again/s),
    ]);
  });
});

describe('a build that is interrupted during training', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('ends by %s after the trained program', async (signal) => {
    expect(await interruptBuild(signal, false)).toEqual({ endedBy: signal, stdout: '' });
  });

  test('ends if interrupted in a later run', async () => {
    expect(await interruptBuild('SIGINT', false, 2)).toEqual({ endedBy: 'SIGINT', stdout: '' });
  });

  test('continues untrained if another listener handles the signal', async () => {
    const { endedBy, stdout } = await interruptBuild('SIGINT', true);
    expect(endedBy).toBeUndefined();
    expect(stdout).toMatch(/^received\n.*Training failed: .* was interrupted\..*\nwritten$/s);
  });

  test('continues with the functions of earlier runs if another listener handles the signal', async () => {
    const { endedBy, stdout } = await interruptBuild('SIGINT', true, 2);
    expect(endedBy).toBeUndefined();
    expect(stdout).toMatch(
      /^received\n.*Training, run 2: .* was interrupted\. The functions that earlier runs executed .*\nwritten$/s,
    );
  });
});

describe('a build warns about an unusable training and keeps the untrained output:', () => {
  test.each([
    [
      'exits with an error code',
      'console.log("half way"); process.exit(3);',
      /failed with exit code 3.*half way/s,
    ],
    ['throws', 'throw new Error("broken training");', /failed with exit code 1.*broken training/s],
    ['hangs', `${TRAIN}; setInterval(() => {}, 1000);`, /took longer than its time limit/, 3],
    ['is killed', `${TRAIN}; process.kill(process.pid, 'SIGKILL');`, /SIGKILL/],
    ['loads nothing', 'console.log("nothing to do");', /loaded no WebAssembly module.*nothing to do/s],
  ])('its command %s', async (_, train, message, timeLimit = 60) => {
    const { project } = await createTrainedProject(train);
    const profile = { train: [process.execPath, project.path('train.mjs')], timeLimit };
    const built = await build('rollup', project, { plugin: { profile } });
    expect(built.warnings).toEqual(expect.arrayContaining([expect.stringMatching(message)]));
    expect(compiledOf(await unpackAll(built))).toEqual(ALL);
    await expectWorking(built);
  });

  test('its command does not exist', async () => {
    const { project } = await createTrainedProject(TRAIN);
    const built = await build('rollup', project, { plugin: { profile: { train: ['no-such-command'] } } });
    expect(built.warnings).toEqual([expect.stringMatching(/no-such-command.*cannot be started/)]);
    await expectWorking(built);
  });

  test('it loads only one of two modules', async () => {
    const { project, plugin } = await createTrainedProject(
      `const { run } = await import('./out/lazy.js'); await run();`,
    );
    const names = { chunkFileNames: '[name].js' };
    const built = await build('rollup', project, { plugin, output: names });
    expect(built.warnings).toEqual([expect.stringMatching(/one\.wasm: the training did not load it/)]);
    expect(compiledOf(await unpackAll(built))).toEqual([ALL[0], EXECUTED[1]]);
    await expectWorking(built);
  });

  test('it loads only one of two modules with the same name', async () => {
    // wasm-bindgen uses the same name for all modules, and for functions in them.
    const project = await createProject({
      'one/index_bg.wasm': watOf(),
      'two/index_bg.wasm': watOf('(func $more (export "more") (result i32) i32.const 1)'),
      'main.js': `
        import one from './one/index_bg.wasm?init';
        import two from './two/index_bg.wasm?init';
        const init = process.env.TWO ? two : one;
        console.log((await init({ './host.js': { seven: () => 7 } })).exports.start());
      `,
    });
    const train = [process.execPath, project.path('out/main.js')];
    const built = await build('rollup', project, { plugin: { profile: { train } } });
    expect(built.warnings).toEqual([
      expect.stringMatching(/two\/index_bg\.wasm: the training did not load it/),
    ]);
    const byCount = (await unpackAll(built)).toSorted((a, b) => a.wire.length - b.wire.length);
    expect(compiledOf(byCount)).toEqual([EXECUTED[0], ALL[1]]);
    expect(byCount[1]?.profile).toBeUndefined();
    const { result } = await runWell(join(built.dir, 'main.js'), { env: { TWO: '1' } });
    expect(result).toBe(42);
  });

  test('another plugin has rewritten the generated code', async () => {
    const { project, plugin } = await createTrainedProject(TRAIN);
    const rewrite = {
      name: 'rewrite',
      renderChunk: (code: string) =>
        code.replaceAll(/JSON\.parse\('(.*?)'\)/g, (_match, json: string) =>
          JSON.stringify(JSON.parse(json)),
        ),
    };
    const built = await build('rollup', project, { plugin, plugins: [rewrite] });
    expect(built.warnings).toEqual([
      expect.stringMatching(/another plugin has rewritten/),
      expect.stringMatching(/another plugin has rewritten/),
    ]);
    expect(compiledOf(await unpackAll(built))).toEqual(ALL);
    await expectWorking(built);
  });
});

/** Returns the artifacts of `one.wasm`. */
function artifactsOfOne({ artifacts }: BuildResult): string[] {
  return artifacts.filter((file) => basename(file).startsWith('one'));
}
