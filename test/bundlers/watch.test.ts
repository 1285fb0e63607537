/** Watch mode: a changed wasm file makes a new artifact. */
import { utimes } from 'node:fs/promises';
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
import { formatProfiles } from '../../src/profile/format.ts';
import { BUNDLERS, type Bundler, otherBuild, type PluginOptions, viteConfig } from '../support/bundlers.ts';
import { esbuildConfig, webpackConfig } from '../support/other-bundlers.ts';
import { createProject, type Files, type Project, runWell, SHARED_CACHE } from '../support/project.ts';
import { wat, watOfValue } from '../support/wat.ts';

interface WatchEvent {
  code: string;
  error?: { message: string };
}

/** How a build ended. */
type Outcome = 'built' | { message: string };

/** What the watchers of the three have in common. */
interface Watcher {
  on(event: 'event', listener: (event: WatchEvent) => void): unknown;
  close(): unknown;
}

/** How many builds may come out wrong, since another one follows at once. */
const ATTEMPTS = 5;

const watching: Watching[] = [];

afterEach(async () => {
  for (const watcher of watching.splice(0)) await watcher.close();
  vi.restoreAllMocks();
});

class Watching {
  readonly warnings: string[];
  /** What our plugin says that is no warning. */
  readonly infos: string[];
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
    watcher.on('event', ({ code, error }) => {
      if (code === 'START') failed = undefined;
      if (code === 'ERROR') failed = error;
      if (code === 'ERROR' || code === 'END') {
        this.#outcomes.push(failed ?? 'built');
        this.#wake();
      }
    });
    watching.push(this);
  }

  async close(): Promise<void> {
    await this.#watcher.close();
  }

  /** Writes files, then waits for builds until one came out as it should. */
  async expectAfter(
    files: Files,
    isExpected: (outcome: Outcome) => boolean | Promise<boolean>,
  ): Promise<void> {
    this.#outcomes = [];
    await this.#project.write(files);
    let waiting = true;
    // A watcher may not yet watch a file when the first build has ended.
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
          // The next build may have begun, and have emptied the folder under the program.
          if (--left === 0) throw error;
          // Or none comes, since nothing changes.
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

  /** Whether the program that was built prints this, with precompiled modules. */
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

/** What is watched here: Farm and Bun have no watcher that tells when it has built. */
type Watched = Bundler | 'webpack' | 'rspack' | 'esbuild';

/** Whether a line is one that our plugin says. */
function isOurs(text: string): boolean {
  return text.includes('unplugin-wasm-precompile');
}

/** A watcher without Rollup's interface. */
async function watchOther(
  bundler: 'webpack' | 'rspack' | 'esbuild',
  project: Project,
  own: PluginOptions,
): Promise<Watching> {
  const warnings: string[] = [];
  const infos: string[] = [];
  const listeners: ((event: WatchEvent) => void)[] = [];
  const tell = (event: WatchEvent) => listeners.forEach((listener) => listener(event));
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
            build.onStart(() => tell({ code: 'START' }));
            build.onEnd(({ errors, warnings: found }) => {
              warnings.push(...found.map(({ text }) => text));
              const [error] = errors;
              // Warnings of plugins that end later are not there yet, nor is the line of ours.
              setTimeout(() =>
                tell(error ? { code: 'ERROR', error: { message: error.text } } : { code: 'END' }),
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
    tell({ code: 'START' });
    const message = error?.message ?? errors[0]?.message;
    tell(message === undefined ? { code: 'END' } : { code: 'ERROR', error: { message } });
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

/** The text of a profile. */
function profileOfOne(...indices: number[]): string {
  const executed = indices.map((index) => ({ index, optimised: false }));
  return formatProfiles([createProfile('one', watOfValue(1), executed)]);
}

function mainOfOne(text: string): string {
  return `import { value } from './one.wasm'; console.log(JSON.stringify(['${text}', value()]));`;
}

/** It loads the file by itself. */
function mainWithGlue(text: string): string {
  return `
    import { readFileSync } from 'node:fs';
    const bytes = readFileSync(new URL('./one.wasm', import.meta.url));
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    console.log(JSON.stringify(['${text}', exports.value()]));
  `;
}

/** Two modules, after a change of the program and then one of the second module. */
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
  test('follows the contents and the interface of a wasm file', async () => {
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

  test('follows code that loads the file by itself, and the file', async () => {
    const project = await createProject({ 'one.wasm': watOfValue(1), 'main.js': 'console.log("[]")' });
    const watcher = await watch(bundler, project);
    await watcher.expectAfter({}, watcher.prints([]));
    await watcher.expectAfter({ 'main.js': mainWithGlue('first') }, watcher.prints(['first', 1]));
    await watcher.expectAfter({ 'main.js': mainWithGlue('second') }, watcher.prints(['second', 1]));
    await watcher.expectAfter({ 'one.wasm': watOfValue(2) }, watcher.prints(['second', 2]));
    expect(watcher.warnings).toEqual([]);
    expect(watcher.infos).toHaveLength(2);
    for (const text of watcher.infos)
      expect(text).toMatch(/one \(native code for .*; loaded by .*main\.js\)/);
  });

  test('keeps the artifacts of wasm files that did not change', async () => {
    const watcher = await watchTwo(bundler);
    await watcher.expectAfter({ 'main.js': mainOfTwo('third') }, watcher.prints(['third', 1, 3]));
    expect(watcher.warnings).toEqual([]);
  });

  test('says of each rebuild only what is new', async () => {
    const watcher = await watchTwo(bundler);
    const modules = watcher.infos.map((text) => text.match(/\w+(?= \(native code for )/g)?.toSorted());
    expect(modules).toEqual([['one', 'two'], ['two']]);
  });

  test.each(['profiles', 'profiles/one.wasm-profile'])('follows a startup profile: %s', async (path) => {
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
  });

  test('says once that no module has a profile', async () => {
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
    expect(watcher.warnings).toEqual([
      expect.stringMatching(/profiles: expected the startup profile of .*"one"/),
    ]);
  });

  // esbuild does not tell a first build from one in watch mode.
  test.skipIf(bundler === 'esbuild')('trains nothing, and says so', async () => {
    const project = await createProject({
      'one.wasm': watOfValue(1),
      'main.js': mainOfOne('first'),
      'train.mjs':
        "import { writeFileSync } from 'node:fs'; writeFileSync(new URL('trained', import.meta.url), ''); await import('./out/main.js');",
    });
    const train = [process.execPath, project.path('train.mjs')];
    const watcher = await watch(bundler, project, { profile: { train } });
    await watcher.expectAfter({}, watcher.prints(['first', 1]));
    // Each build of webpack and Rspack has all of them.
    expect([...new Set(watcher.warnings)]).toEqual([
      expect.stringContaining('Nothing is trained in watch mode'),
    ]);
    expect(watcher.infos.at(-1)).toContain('1 of 1 functions');
    await expect(project.read('trained')).rejects.toThrow('ENOENT');
  });

  test('goes on after a wasm file was broken for a while', async () => {
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

test('Vite keeps artifacts in a server build, which drops all other assets', async () => {
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
