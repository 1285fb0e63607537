/** Watch mode: a build makes a new artifact for a changed wasm file. */
import { rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { rspack } from '@rspack/core';
import { context as esbuildContext } from 'esbuild';
import { watch as rolldownWatch } from 'rolldown';
import { watch as rollupWatch } from 'rollup';
import type { Options } from 'unplugin-wasm-precompile';
import rolldownPlugin from 'unplugin-wasm-precompile/rolldown';
import rollupPlugin from 'unplugin-wasm-precompile/rollup';
import { build as viteBuild } from 'vite';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { webpack } from 'webpack';
import { createProfile } from '../../src/profile/create.ts';
import { formatProfiles } from '../../src/profile/profile-text.ts';
import { BUNDLERS, type Bundler, otherBuild, type PluginOptions, viteConfig } from '../support/bundlers.ts';
import { esbuildConfig, webpackConfig } from '../support/other-bundlers.ts';
import { createProject, type Files, type Project, runWell, SHARED_CACHE } from '../support/project.ts';
import { wat, watOfValue } from '../support/wat.ts';

interface WatchEvent {
  code: string;
  error?: { message: string };
}

/** The end of a build. */
type Outcome = 'built' | { message: string };

/** The common interface of the watchers of Vite, Rollup and Rolldown. */
interface Watcher {
  on(event: 'event', listener: (event: WatchEvent) => void): unknown;
  close(): unknown;
}

/** How many builds may give another result, because a further build follows at once. */
const ATTEMPTS = 5;

const watching: Watching[] = [];

afterEach(async () => {
  for (const watcher of watching.splice(0)) await watcher.close();
  vi.restoreAllMocks();
});

class Watching {
  readonly warnings: string[];
  /** The plugin's messages that are not warnings. */
  readonly infos: string[];
  /** The warnings of each build. */
  readonly warningsByBuild: string[][] = [];
  readonly #project: Project;
  readonly #watcher: Watcher;
  #outcomes: Outcome[] = [];
  #wake = () => {};

  constructor(project: Project, watcher: Watcher, warnings: string[], infos: string[]) {
    this.#project = project;
    this.#watcher = watcher;
    this.warnings = warnings;
    this.infos = infos;
    let failed: Outcome | undefined;
    let printed = 0;
    watcher.on('event', ({ code, error }) => {
      if (code === 'START') failed = undefined;
      if (code === 'ERROR') failed = error;
      if (code === 'ERROR' || code === 'END') {
        this.warningsByBuild.push(warnings.slice(printed));
        printed = warnings.length;
        this.#outcomes.push(failed ?? 'built');
        this.#wake();
      }
    });
    watching.push(this);
  }

  async close(): Promise<void> {
    await this.#watcher.close();
  }

  /** Writes files, then waits for builds until one gives the expected result. */
  async expectAfter(
    files: Files,
    isExpected: (outcome: Outcome) => boolean | Promise<boolean>,
  ): Promise<void> {
    this.#outcomes = [];
    await this.#project.write(files);
    let waiting = true;
    // A watcher may start watching a file only after the first build has ended.
    const again = setInterval(() => {
      if (!waiting) return;
      for (const name of Object.keys(files)) void utimes(this.#project.path(name), new Date(), new Date());
    }, 1000);
    try {
      for (let left = ATTEMPTS; ;) {
        const outcome = this.#outcomes.shift();
        if (outcome === undefined) {
          await new Promise<void>((resolve) => (this.#wake = resolve));
          continue;
        }
        waiting = false;
        try {
          if (await isExpected(outcome)) return;
        } catch (error) {
          // The next build may have emptied the folder while the program ran.
          if (--left === 0) throw error;
          // No further build follows if nothing changes.
          if (Object.keys(files).length === 0 && this.#outcomes.length === 0) {
            await delay(500);
            this.#outcomes.push(outcome);
          }
        }
        waiting = true;
      }
    } finally {
      clearInterval(again);
    }
  }

  /** Returns a check that the built program prints this value, with precompiled modules. */
  prints(expected: unknown): (outcome: Outcome) => Promise<boolean> {
    return async (outcome) => {
      if (outcome !== 'built') throw new Error(outcome.message);
      const { result, loads } = await runWell(this.#project.path('out/main.js'));
      return (
        JSON.stringify(result) === JSON.stringify(expected) && loads.every(({ how }) => how === 'precompiled')
      );
    };
  }
}

/** The tested watchers. Those of Farm and Bun do not report the end of a build. */
type Watched = Bundler | 'webpack' | 'rspack' | 'esbuild';

/** Returns whether the plugin has printed this line. */
function isOurs(text: string): boolean {
  return text.includes('unplugin-wasm-precompile');
}

/** Starts a watcher without Rollup's interface. */
async function watchOther(
  bundler: 'webpack' | 'rspack' | 'esbuild',
  project: Project,
  own: PluginOptions,
): Promise<Watching> {
  const warnings: string[] = [];
  const infos: string[] = [];
  const listeners: ((event: WatchEvent) => void)[] = [];
  const emit = (event: WatchEvent) => listeners.forEach((listener) => listener(event));
  const on: Watcher['on'] = (_, listener) => listeners.push(listener);
  const options = otherBuild(project, { plugin: own });
  if (bundler === 'esbuild') {
    vi.spyOn(console, 'error').mockImplementation((text: string) => void (isOurs(text) && infos.push(text)));
    const context = await esbuildContext({
      ...esbuildConfig(options),
      logLevel: 'info',
      plugins: [
        ...(esbuildConfig(options).plugins ?? []),
        {
          name: 'listener',
          setup(build) {
            build.onStart(() => emit({ code: 'START' }));
            build.onEnd(({ errors, warnings: found }) => {
              warnings.push(...found.map(({ text }) => text));
              const [error] = errors;
              // Plugins whose hooks run later add warnings, and ours prints its summary line, only after this hook.
              setTimeout(() =>
                emit(error ? { code: 'ERROR', error: { message: error.text } } : { code: 'END' }),
              );
            });
          },
        },
      ],
    });
    const watcher = { on, close: () => context.dispose() };
    const watched = new Watching(project, watcher, warnings, infos);
    await context.watch();
    return watched;
  }
  const make = bundler === 'webpack' ? webpack : (rspack as unknown as typeof webpack);
  const compiler = make({
    ...webpackConfig(bundler, options),
    infrastructureLogging: {
      level: 'info',
      stream: { write: (text: string) => void (isOurs(text) && infos.push(text.trim())) } as never,
      colors: false,
    },
  });
  const watcher = { on, close: () => new Promise<void>((closed) => compiler?.close(() => closed())) };
  const watched = new Watching(project, watcher, warnings, infos);
  compiler?.watch({ aggregateTimeout: 20 }, (error, stats) => {
    const { errors = [], warnings: found = [] } =
      stats?.toJson({ all: false, errors: true, warnings: true }) ?? {};
    warnings.push(...found.map(({ message }) => message));
    emit({ code: 'START' });
    const message = error?.message ?? errors[0]?.message;
    emit(message === undefined ? { code: 'END' } : { code: 'ERROR', error: { message } });
  });
  return watched;
}

async function watch(bundler: Watched, project: Project, own: PluginOptions = {}): Promise<Watching> {
  if (bundler === 'webpack' || bundler === 'rspack' || bundler === 'esbuild') {
    return watchOther(bundler, project, { inline: undefined, ...own });
  }
  const warnings: string[] = [];
  const onLog = (level: string, { message }: { message: string }) => {
    if (level === 'warn') warnings.push(message);
  };
  const infos: string[] = [];
  const listener = {
    name: 'listener',
    onLog(level: string, { message, plugin }: { message: string; plugin?: string | undefined }) {
      if (level === 'info' && plugin === 'unplugin-wasm-precompile') infos.push(message);
      return undefined;
    },
  };
  const common = {
    input: project.path('main.js'),
    external: [/^node:/],
    onLog,
    output: { dir: project.path('out') },
  };
  const options = { cache: SHARED_CACHE, threshold: 0, ...own } as Options;
  switch (bundler) {
    case 'rollup':
      return new Watching(
        project,
        rollupWatch({ ...common, plugins: [rollupPlugin(options), listener] }),
        warnings,
        infos,
      );
    case 'rolldown':
      return new Watching(
        project,
        rolldownWatch({ ...common, plugins: [rolldownPlugin(options), listener] }),
        warnings,
        infos,
      );
    case 'vite': {
      const config = viteConfig(project, warnings, own);
      config.plugins?.push(listener);
      const watcher = await viteBuild({
        ...config,
        build: { ssr: 'main.js', outDir: 'out', emptyOutDir: true, watch: {} },
      });
      if (!('on' in watcher)) throw new Error('Vite does not watch');
      return new Watching(project, watcher, warnings, infos);
    }
  }
}

function mainOfTwo(text: string): string {
  return `
    import init from './one.wasm?init';
    import { value } from './two.wasm';
    const one = await init();
    console.log(JSON.stringify(['${text}', one.exports.value(), value()]));
  `;
}

/** Returns the text of a profile. */
function profileOfOne(...indices: number[]): string {
  const executed = indices.map((index) => ({ index, optimised: false }));
  return formatProfiles([createProfile('one', watOfValue(1), executed)]);
}

function mainOfOne(text: string): string {
  return `import { value } from './one.wasm'; console.log(JSON.stringify(['${text}', value()]));`;
}

/** A program that loads the file itself. */
function mainWithRuntimeLoading(text: string): string {
  return `
    import { readFileSync } from 'node:fs';
    const bytes = readFileSync(new URL('./one.wasm', import.meta.url));
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    console.log(JSON.stringify(['${text}', exports.value()]));
  `;
}

/** Watches two modules, changes the program, and then the second module. */
async function watchTwo(bundler: Watched): Promise<Watching> {
  const project = await createProject({
    'one.wasm': watOfValue(1),
    'two.wasm': watOfValue(2),
    'main.js': mainOfTwo('first'),
  });
  const watcher = await watch(bundler, project);
  await watcher.expectAfter({}, watcher.prints(['first', 1, 2]));
  await watcher.expectAfter({ 'main.js': mainOfTwo('second') }, watcher.prints(['second', 1, 2]));
  await watcher.expectAfter({ 'two.wasm': watOfValue(3) }, watcher.prints(['second', 1, 3]));
  return watcher;
}

describe.each<Watched>([...BUNDLERS, 'webpack', 'rspack', 'esbuild'])('%s', (bundler) => {
  test('rebuilds after changes to the contents and the interface of a wasm file', async () => {
    const project = await createProject({
      'one.wasm': watOfValue(1),
      'main.js': `
        import * as one from './one.wasm';
        console.log(JSON.stringify(Object.entries(one).map(([name, f]) => [name, f()])));
      `,
    });
    const watcher = await watch(bundler, project);
    await watcher.expectAfter({}, watcher.prints([['value', 1]]));
    await watcher.expectAfter({ 'one.wasm': watOfValue(2) }, watcher.prints([['value', 2]]));

    const other = wat('(module (func (export "other") (result i32) i32.const 3))');
    await watcher.expectAfter({ 'one.wasm': other }, watcher.prints([['other', 3]]));
    expect(watcher.warnings).toEqual([]);
  });

  test('rebuilds after changes to code that loads a file itself, and to the file', async () => {
    const project = await createProject({ 'one.wasm': watOfValue(1), 'main.js': 'console.log("[]")' });
    const watcher = await watch(bundler, project);
    await watcher.expectAfter({}, watcher.prints([]));
    await watcher.expectAfter({ 'main.js': mainWithRuntimeLoading('first') }, watcher.prints(['first', 1]));
    await watcher.expectAfter({ 'main.js': mainWithRuntimeLoading('second') }, watcher.prints(['second', 1]));
    await watcher.expectAfter({ 'one.wasm': watOfValue(2) }, watcher.prints(['second', 2]));
    expect(watcher.warnings).toEqual([]);
    // esbuild does not say that it watches before its second run, so the first run says that it found nothing.
    const infos = watcher.infos.filter((text) => !text.includes('no WebAssembly to precompile was found'));
    expect(infos).toHaveLength(2);
    for (const text of infos) expect(text).toMatch(/one \(precompiled for .*; loaded by .*main\.js\)/);
  });

  test('keeps the artifacts of unchanged wasm files', async () => {
    const watcher = await watchTwo(bundler);
    await watcher.expectAfter({ 'main.js': mainOfTwo('third') }, watcher.prints(['third', 1, 3]));
    expect(watcher.warnings).toEqual([]);
  });

  test('prints only new modules in the summary of a rebuild', async () => {
    const watcher = await watchTwo(bundler);
    const modules = watcher.infos.map((text) => text.match(/\w+(?= \(precompiled for )/g)?.toSorted());
    expect(modules).toEqual([['one', 'two'], ['two']]);
  });

  test.each(['profiles', 'profiles/one.wasm-profile'])(
    'rebuilds after changes to a startup profile: %s',
    async (path) => {
      const project = await createProject({
        'one.wasm': watOfValue(1),
        'main.js': mainOfOne('first'),
        'profiles/one.wasm-profile': profileOfOne(),
      });
      const watcher = await watch(bundler, project, { profile: project.path(path) });
      await watcher.expectAfter({}, watcher.prints(['first', 1]));
      expect(watcher.infos.at(-1)).toContain('0 of 1 functions');
      await watcher.expectAfter({ 'profiles/one.wasm-profile': profileOfOne(0) }, () =>
        Boolean(watcher.infos.at(-1)?.includes('1 of 1 functions')),
      );
      expect(watcher.warnings).toEqual([]);
    },
  );

  test('warns once in each build if no module has a profile', async () => {
    const other = createProfile('other', watOfValue(7), []);
    const project = await createProject({
      'one.wasm': watOfValue(1),
      'main.js': mainOfOne('first'),
      'profiles/other.wasm-profile': formatProfiles([other]),
    });
    const watcher = await watch(bundler, project, { profile: project.path('profiles') });
    await watcher.expectAfter({}, watcher.prints(['first', 1]));
    await watcher.expectAfter({ 'main.js': mainOfOne('second') }, watcher.prints(['second', 1]));
    await watcher.expectAfter({ 'one.wasm': watOfValue(2) }, watcher.prints(['second', 2]));
    expect(watcher.warningsByBuild.length).toBeGreaterThanOrEqual(3);
    for (const warnings of watcher.warningsByBuild) {
      expect(warnings).toEqual([expect.stringMatching(/profiles: expected the startup profile of .*"one"/)]);
    }
  });

  test('prints a warning once in each build, until its cause is removed', async () => {
    const project = await createProject({
      'one.wasm': watOfValue(1),
      'two.wasm': watOfValue(2),
      'main.js': mainOfTwo('first'),
      // No declarations can be written to a path that is a folder.
      'two.wasm.d.ts/file': '',
    });
    const path = project.path('one.wasm-profile');
    const watcher = await watch(bundler, project, { dts: true, profile: path });
    const profile = expect.stringMatching(/one\.wasm-profile.*Until then native code holds all functions/);
    const declarations = expect.stringMatching(/two\.wasm\.d\.ts: cannot be written/);
    await watcher.expectAfter({}, watcher.prints(['first', 1, 2]));
    await watcher.expectAfter({ 'main.js': mainOfTwo('second') }, watcher.prints(['second', 1, 2]));
    expect(watcher.warningsByBuild.length).toBeGreaterThanOrEqual(2);
    for (const warnings of watcher.warningsByBuild) {
      expect(warnings).toHaveLength(2);
      expect(warnings).toEqual(expect.arrayContaining([profile, declarations]));
    }
    await rm(project.path('two.wasm.d.ts'), { recursive: true });
    await watcher.expectAfter(
      {
        'one.wasm-profile': profileOfOne(0),
        'one.wasm': watOfValue(1),
        'two.wasm': watOfValue(4),
        'main.js': mainOfTwo('third'),
      },
      async (outcome) =>
        (await watcher.prints(['third', 1, 4])(outcome)) && watcher.warningsByBuild.at(-1)?.length === 0,
    );
  });

  // esbuild does not distinguish the first build from one in watch mode.
  test.skipIf(bundler === 'esbuild')('warns that it trains nothing', async () => {
    const project = await createProject({
      'one.wasm': watOfValue(1),
      'main.js': mainOfOne('first'),
      'train.mjs':
        "import { writeFileSync } from 'node:fs'; writeFileSync(new URL('trained', import.meta.url), ''); await import('./out/main.js');",
    });
    const train = [process.execPath, project.path('train.mjs')];
    const watcher = await watch(bundler, project, { profile: { train } });
    await watcher.expectAfter({}, watcher.prints(['first', 1]));
    // webpack and Rspack repeat all warnings in each build.
    expect([...new Set(watcher.warnings)]).toEqual([
      expect.stringContaining('Training does not run in watch mode'),
    ]);
    expect(watcher.infos.at(-1)).toContain('1 of 1 functions');
    await expect(project.read('trained')).rejects.toThrow('ENOENT');
  });

  test('reads a wasm file that another tool is writing until it is complete', async () => {
    const project = await createProject({ 'one.wasm': watOfValue(1), 'main.js': mainOfOne('first') });
    const watcher = await watch(bundler, project);
    await watcher.expectAfter({}, watcher.prints(['first', 1]));
    const failures: Outcome[] = [];
    const bytes = watOfValue(2);
    const writing = (async () => {
      for (const length of [0, 5, bytes.length - 1, bytes.length]) {
        await project.write({ 'one.wasm': bytes.subarray(0, length) });
        // Longer than the watchers wait for further changes.
        await delay(100);
      }
    })();
    await watcher.expectAfter({}, (outcome) => {
      if (outcome !== 'built') failures.push(outcome);
      return watcher.prints(['first', 2])(outcome);
    });
    await writing;
    expect(failures).toEqual([]);
    expect(watcher.warnings).toEqual([]);
  });

  test('recovers when an invalid wasm file is repaired', async () => {
    const project = await createProject({
      'one.wasm': watOfValue(1),
      'main.js': "import init from './one.wasm?init'; console.log((await init()).exports.value());",
    });
    const watcher = await watch(bundler, project);
    await watcher.expectAfter({}, watcher.prints(1));
    await watcher.expectAfter(
      { 'one.wasm': 'no wasm' },
      (outcome) => outcome !== 'built' && outcome.message.includes(project.path('one.wasm')),
    );
    await watcher.expectAfter({ 'one.wasm': watOfValue(2) }, async (outcome) =>
      outcome === 'built' ? watcher.prints(2)(outcome) : false,
    );
  });
});

test('a server build of Vite, which drops all other assets, keeps artifacts', async () => {
  const project = await createProject({
    'one.wasm': watOfValue(1),
    'main.js': `
      import { value } from './one.wasm';
      import url from './one.wasm?url';
      console.log(JSON.stringify([value(), url.split('/').at(-1).split('.').at(-1)]));
    `,
  });
  const warnings: string[] = [];
  const config = viteConfig(project, warnings);
  await viteBuild({ ...config, build: { ssr: 'main.js', outDir: 'out', assetsInlineLimit: 0 } });
  expect(warnings).toEqual([]);
  expect(await project.list('out')).toEqual([
    expect.stringMatching(/^assets\/one-[\w-]+\.elf$/),
    expect.stringMatching(/^assets\/wasm-precompile-[\w-]+\.node$/),
    'main.js',
  ]);
  expect((await runWell(join(project.folder, 'out/main.js'))).result).toEqual([1, 'wasm']);

  await viteBuild({
    ...config,
    build: { ssr: 'main.js', outDir: 'out', assetsInlineLimit: 0, ssrEmitAssets: true },
  });
  expect(warnings).toEqual([]);
  const extensions = (await project.list('out')).map((file) => file.split('.').at(-1));
  expect(extensions.toSorted()).toEqual(['elf', 'js', 'node', 'wasm']);
});
