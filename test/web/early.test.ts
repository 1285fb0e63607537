/** The time and the number of a page's requests for modules. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Browser } from 'playwright-core';
import {
  buildClient,
  type BuildResult,
  OLDER_VITES,
  type PluginOptions,
  type ViteName,
} from '../support/bundlers.ts';
import { HAS_CHROMIUM, launchChromium, openPage, type PageRun } from '../support/chromium.ts';
import { HAS_FIREFOX, launchFirefox, openInFirefox } from '../support/firefox.ts';
import { createProject, type Files, type Project } from '../support/project.ts';
import { createSplitProject, IMPORTS, TWO_SECONDARIES } from '../support/split-project.ts';
import { type Behaviour, serveFolder } from '../support/static-server.ts';
import { watOfValue } from '../support/wat.ts';
import { HTML } from './pages.ts';

let browser: Browser;

beforeAll(async () => {
  if (HAS_CHROMIUM) browser = await launchChromium();
});
afterAll(() => browser?.close());

const inChromium = test.skipIf(!HAS_CHROMIUM);

/**
 * The page works before it needs its module, and imports another one lazily, in a chunk that works as well. It
 * works until its clock has advanced: browsers round times to 1 ms.
 */
const FILES: Files = {
  'index.html': HTML,
  'one.wasm': watOfValue(1),
  'two.wasm': watOfValue(2),
  'work.js': `
    export function work(name) {
      const begin = performance.now();
      while (performance.now() - begin < 5);
      globalThis.worked = { ...globalThis.worked, [name]: performance.timeOrigin + performance.now() };
    }`,
  'main.js': `
    import init from './one.wasm?init';
    import { work } from './work.js';
    work('main');
    const one = await init();
    const { two } = await import('./lazy.js');
    const entries = performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('.wasm'));
    const started = Object.fromEntries(entries.map(({ name, startTime }) => [
      /(\\w+)-[\\w-]+\\.wasm$/.exec(name)[1], performance.timeOrigin + startTime,
    ]));
    globalThis.result = {
      values: [one.exports.value(), two()],
      early: Object.fromEntries(['one', 'two'].map((name) => [name, started[name] < globalThis.worked[name === 'one' ? 'main' : 'lazy']])),
      fetches: entries.length,
    };
  `,
  'lazy.css': 'body { color: black }',
  'lazy.js': `
    import './lazy.css';
    import init from './two.wasm?init';
    import { work } from './work.js';
    work('lazy');
    const { exports } = await init();
    export const two = exports.value;
  `,
};

async function buildPage(
  options: { plugin?: PluginOptions; bundler?: ViteName; base?: string; files?: Files } = {},
): Promise<{ project: Project; built: BuildResult }> {
  const project = await createProject({ ...FILES, ...options.files });
  const built = await buildClient(project, {
    ...(options.bundler && { bundler: options.bundler }),
    plugin: options.plugin ?? {},
    vite: { base: options.base ?? '/', build: { target: 'es2022' } },
  });
  return { project, built };
}

async function visitIn(
  open: (url: string) => Promise<PageRun>,
  built: BuildResult,
  behaviour: Behaviour,
  path = '',
) {
  const server = await serveFolder(built.dir, behaviour);
  try {
    return { ...(await open(`${server.url}${path}`)), wasm: server.wasm() };
  } finally {
    await server.close();
  }
}

const visit = (built: BuildResult, behaviour: Behaviour = {}, path = '') =>
  visitIn((url) => openPage(browser, url), built, behaviour, path);

async function visitInFirefox(built: BuildResult, behaviour: Behaviour = {}) {
  const firefox = await launchFirefox();
  try {
    return await visitIn((url) => openInFirefox(firefox, url), built, behaviour);
  } finally {
    await firefox.close();
  }
}

const EARLY = { values: [1, 2], early: { one: true, two: true }, fetches: 2 };

describe('a page requests its modules before the code that needs them runs', () => {
  inChromium.each(['stream', 'range', 'inflate'] as const)('with the delivery %s', async (delivery) => {
    const { built } = await buildPage({ plugin: { web: { delivery } } });
    const { result, errors, wasm } = await visit(built);
    expect({ result, errors }).toEqual({ result: EARLY, errors: [] });
    expect(wasm).toHaveLength(2);
  });

  inChromium.each<[ViteName, string]>([
    ...OLDER_VITES.map((bundler): [ViteName, string] => [bundler, '/']),
    ['vite', './'],
  ])('if built by %s with the base %s', async (bundler, base) => {
    const { built } = await buildPage({ bundler, base });
    expect(built.warnings).toEqual([]);
    const { result, errors, wasm } = await visit(built);
    expect({ result, errors }).toEqual({ result: EARLY, errors: [] });
    expect(wasm).toHaveLength(2);
  });

  test.skipIf(!HAS_FIREFOX)('in Firefox', async () => {
    const { built } = await buildPage();
    const { result, errors, wasm } = await visitInFirefox(built);
    expect({ result, errors }).toEqual({ result: EARLY, errors: [] });
    expect(wasm).toHaveLength(2);
  });
});

inChromium('a page requests modules when they are used with `preload: false`', async () => {
  const { project, built } = await buildPage({ plugin: { web: { preload: false } } });
  const { result, errors } = await visit(built);
  expect({ result, errors }).toEqual({
    result: { ...EARLY, early: { one: false, two: false } },
    errors: [],
  });
  expect(String(await project.read('out/index.html'))).not.toMatch(/async|preload" as="fetch"/);
});

const links = async (project: Project, file = 'index.html') =>
  String(await project.read('out', file)).match(/<link[^>]* as="fetch"[^>]*>/g) ?? [];

describe('`preload: "link"`', () => {
  inChromium.each(['stream', 'inflate'] as const)(
    'makes the browser use the preloaded files with the delivery %s',
    async (delivery) => {
      const { project, built } = await buildPage({ plugin: { web: { delivery, preload: 'link' } } });
      const found = await links(project);
      expect(found).toEqual([
        expect.stringMatching(
          /^<link rel="preload" as="fetch" crossorigin href="\/assets\/one-[\w-]+\.wasm">$/,
        ),
      ]);
      // No cache could serve a second request.
      const { result, errors, wasm } = await visit(built, { headers: { 'cache-control': 'no-store' } });
      expect({ result, errors }).toEqual({ result: EARLY, errors: [] });
      expect(wasm).toHaveLength(2);
    },
  );

  test.skipIf(!HAS_FIREFOX).each([false, true])(
    'makes Firefox use the preloaded files, integrity: %s',
    async (integrity) => {
      const { built } = await buildPage({ plugin: { web: { preload: 'link', integrity } } });
      const { result, errors, wasm } = await visitInFirefox(built, {
        headers: { 'cache-control': 'no-store' },
      });
      expect({ result, errors }).toEqual({ result: EARLY, errors: [] });
      expect(wasm).toHaveLength(2);
    },
  );

  test.each<PluginOptions['web']>([
    // A link cannot request a range.
    { delivery: 'range' },
    // Firefox does not use a link with a hash.
    { integrity: true },
  ])('adds no link that browsers cannot use: %j', async (web) => {
    const { project } = await buildPage({ plugin: { web: { ...web, preload: 'link' } } });
    expect(await links(project)).toEqual([]);
    expect(String(await project.read('out/index.html'))).toMatch(/<script type="module" async/);
  });
});

/**
 * Imports a module lazily after all preloaded scripts are loaded. The result says whether that requested more
 * scripts.
 */
const lazyMain = (specifier: string, value: string) => `
    if (document.readyState !== 'complete') await new Promise((resolve) => addEventListener('load', resolve));
    const preloaded = [...document.querySelectorAll('link[rel=modulepreload]')];
    while (!preloaded.every(({ href }) => performance.getEntriesByName(href).length > 0)) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const before = performance.now();
    const { default: module } = await import('${specifier}');
    const scripts = performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('.js'));
    globalThis.result = [${value}, scripts.some(({ startTime }) => startTime >= before)];`;
const lazyPage = (specifier: string) => ({
  'main.js': lazyMain(specifier, 'new WebAssembly.Instance(module).exports.value()'),
});
/** Returns the names of the chunks that the HTML preloads. */
const preloaded = async (project: Project) =>
  [
    ...String(await project.read('out/index.html')).matchAll(
      /<link rel="modulepreload" crossorigin href="[^"]*\/(\w+)-[\w-]+\.js">/g,
    ),
  ].map(([, name]) => name);

describe('the chunks of a lazily imported module', () => {
  inChromium.each(['/', './'])('are loaded before the import, base %s', async (base) => {
    const { project, built } = await buildPage({ base, files: lazyPage('./two.wasm?module') });
    expect(await preloaded(project)).toEqual(['two', 'two']);
    expect(await visit(built)).toMatchObject({ result: [2, false], errors: [] });
  });

  inChromium.each([true, 'all'] as const)(
    'are loaded before the import of a split module, `preload: %j`',
    async (preload) => {
      const project = await createSplitProject('', {
        'index.html': HTML,
        'main.js': lazyMain(
          './one.wasm?module',
          `new WebAssembly.Instance(module, ${IMPORTS}).exports.start()`,
        ),
      });
      const built = await buildClient(project, {
        plugin: { profile: project.path('profiles'), split: TWO_SECONDARIES, web: { preload } },
        vite: { build: { target: 'es2022' } },
      });
      expect(await visit(built)).toMatchObject({ result: [42, false], errors: [] });
    },
  );

  inChromium('are requested at the import with `preload: false`', async () => {
    const options = { plugin: { web: { preload: false } }, files: lazyPage('./two.wasm?module') };
    const { project, built } = await buildPage(options);
    expect(await preloaded(project)).toEqual([]);
    expect(await visit(built)).toMatchObject({ result: [2, true], errors: [] });
  });

  test("follow Vite's option `build.modulePreload`", async () => {
    const files = lazyPage('./two.wasm?module');
    const never = await createProject({ ...FILES, ...files });
    await buildClient(never, { plugin: {}, vite: { build: { target: 'es2022', modulePreload: false } } });
    expect(await preloaded(never)).toEqual([]);
    const some = await createProject({ ...FILES, ...files });
    const modulePreload = { resolveDependencies: (_: string, names: string[]) => names.slice(0, 1) };
    await buildClient(some, { plugin: {}, vite: { build: { target: 'es2022', modulePreload } } });
    expect(await preloaded(some)).toEqual(['two']);
  });

  test('are requested once, also if the entry shares them', async () => {
    const { project } = await buildPage({
      files: { 'main.js': `import './one.wasm?init'; globalThis.later = () => import('./two.wasm?module');` },
    });
    const html = String(await project.read('out/index.html'));
    const urls = [...html.matchAll(/<link [^>]*href="([^"]+)"/g)].map(([, url]) => url);
    expect(urls.length).toBeGreaterThan(1);
    expect(new Set(urls).size).toBe(urls.length);
  });

  inChromium('do not include chunks with other code', async () => {
    const { project, built } = await buildPage({
      files: {
        ...lazyPage('./lazy.js'),
        'lazy.js': `export { default } from './two.wasm?module'; globalThis.other = true;`,
      },
    });
    expect(await preloaded(project)).toEqual(['two']);
    expect(await visit(built)).toMatchObject({ result: [2, true], errors: [] });
  });
});

test('a lazy import after a statement without a semicolon is rewritten correctly', async () => {
  const { built, project } = await buildPage({
    bundler: 'vite7',
    files: {
      'main.js': `globalThis.done = String\nimport('./lazy.js').then(({ two }) => { globalThis.result = two() })`,
    },
  });
  const code = await Promise.all(
    built.files
      .filter((file) => file.endsWith('.js'))
      .map(async (file) => String(await project.read('out', file))),
  );
  expect(code.join('\n')).toContain('__wasmPrecompileStart0(() => import(');
  if (HAS_CHROMIUM) expect((await visit(built)).result).toBe(2);
});

inChromium('source maps stay correct', async () => {
  const project = await createProject({
    ...FILES,
    'main.js': `globalThis.before = 1;
const later = () => import('./lazy.js');
later().then(() => {
  throw new Error('thrown here');
});`,
  });
  const built = await buildClient(project, { vite: { build: { sourcemap: true, target: 'es2022' } } });
  const name = built.files.find((file) => /index-.*\.js$/.test(file)) ?? '';
  const code = String(await project.read('out', name));
  const { SourceMap } = await import('node:module');
  const map = new SourceMap(JSON.parse(String(await project.read('out', `${name}.map`))));
  const line = code.split('\n').findIndex((text) => text.includes('thrown here'));
  const column = code.split('\n')[line]?.indexOf('new Error') ?? -1;
  expect(map.findEntry(line, column)).toMatchObject({
    originalSource: expect.stringMatching(/main\.js$/),
    originalLine: 3,
  });
});

inChromium('pages in different folders load their modules', async () => {
  const project = await createProject({
    ...FILES,
    'index.html': HTML,
    'deep/er/other.html': HTML.replace('./main.js', './other.js'),
    'deep/er/other.js': `
      import init from '../../two.wasm?init';
      globalThis.result = (await init()).exports.value();`,
    'main.js': `
      import init from './one.wasm?init';
      globalThis.result = (await init()).exports.value();`,
  });
  const built = await buildClient(project, {
    plugin: { web: { preload: 'link' } },
    vite: {
      base: './',
      build: { rolldownOptions: { input: [project.path('index.html'), project.path('deep/er/other.html')] } },
    },
  });
  expect((await visit(built)).result).toBe(1);
  const { result, errors, wasm } = await visit(built, {}, 'deep/er/other.html');
  expect({ result, errors }).toEqual({ result: 2, errors: [] });
  expect(wasm.map(({ path }) => path)).toEqual([expect.stringMatching(/^\/assets\/two-/)]);
});

inChromium('`experimental.renderBuiltUrl` determines the URLs of files', async () => {
  const { project, built } = await (async () => {
    const made = await createProject(FILES);
    const result = await buildClient(made, {
      plugin: { web: { preload: 'link' } },
      vite: {
        build: { target: 'es2022' },
        experimental: {
          renderBuiltUrl: (file, { hostType }) => (hostType === 'html' ? `/${file}` : { relative: true }),
        },
      },
    });
    return { project: made, built: result };
  })();
  expect(String(await project.read('out/index.html'))).toContain('href="/assets/one-');
  const { result, errors, wasm } = await visit(built);
  expect({ result, errors }).toEqual({ result: EARLY, errors: [] });
  expect(wasm).toHaveLength(2);
});
