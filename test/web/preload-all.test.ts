/** `preload: 'all'`: a page requests lazily imported modules at startup. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildClient, OLDER_VITES, type PluginOptions, type ViteName } from '../support/bundlers.ts';
import { createProject, type Files, type Project } from '../support/project.ts';
import { createSplitProject, IMPORTS, TWO_SECONDARIES } from '../support/split-project.ts';
import { type Behaviour, serveFolder } from '../support/static-server.ts';
import { watOfValue } from '../support/wat.ts';
import { BROWSERS, CHROMIUM, type OpenBrowser } from './browsers.ts';
import { HTML } from './pages.ts';

const DELIVERIES = ['stream', 'range', 'inflate'] as const;

/** A page that records its requests for wasm files and unhandled rejections. */
const RECORDING = HTML.replace(
  '<meta',
  `<script>
    const ask = globalThis.fetch;
    globalThis.asked = [];
    globalThis.fetch = (url, ...rest) => {
      const answer = ask(url, ...rest);
      if (/\\.wasm$/.test(url)) globalThis.asked.push({ url, answer });
      return answer;
    };
    globalThis.uncaught = [];
    addEventListener('unhandledrejection', ({ reason }) => uncaught.push(String(reason)));
  </script><meta`,
);

const WAIT = `const wait = (milliseconds = 20) => new Promise((resolve) => setTimeout(resolve, milliseconds));`;

/** Returns a script that waits for this number of requests; it imports nothing before. */
const afterRequests = (count: number, script: string) => `
  ${WAIT}
  while (asked.length < ${count}) await wait();
  ${script}`;

/** The code that imports the module and provides `exports`, by import form. */
const FORMS = {
  '?module': `const { default: module } = await import('./two.wasm?module'); const { exports } = new WebAssembly.Instance(module);`,
  '?init': `const { default: init } = await import('./two.wasm?init'); const { exports } = await init();`,
  'its exports': `const exports = await import('./two.wasm');`,
  'import.source': `const { exports } = new WebAssembly.Instance(await import.source('./two.wasm'));`,
};

const RESULT = 'globalThis.result = [exports.value(), asked.length];';

interface PageOptions {
  files?: Files;
  plugin?: PluginOptions;
  bundler?: ViteName;
  base?: string;
}

async function createPage(main: string, { files, plugin, bundler, base = '/' }: PageOptions = {}) {
  const project = await createProject({
    'index.html': RECORDING,
    'one.wasm': watOfValue(1),
    'two.wasm': watOfValue(2),
    'main.js': main,
    ...files,
  });
  const built = await buildClient(project, {
    ...(bundler && { bundler }),
    plugin: { ...plugin, web: { preload: 'all', ...plugin?.web } },
    vite: { base, build: { target: 'es2022' } },
  });
  expect(built.warnings).toEqual([]);
  return { project, built };
}

const htmlOf = async (project: Project) => String(await project.read('out/index.html'));

describe.each(BROWSERS)('in $name', ({ runs, launch }) => {
  let browser: OpenBrowser;

  beforeAll(async () => {
    if (runs) browser = await launch();
  });
  afterAll(() => browser?.close());

  /**
   * Opens a page without an HTTP cache, so that the server receives each request.
   *
   * @param answers how many answers for wasm files to await: the server records each after the page has received it
   */
  async function visit(dir: string, answers = 1, behaviour: Behaviour = {}, path = '') {
    const server = await serveFolder(dir, { headers: { 'cache-control': 'no-store' }, ...behaviour });
    try {
      const { result, errors } = await browser.open(`${server.url}${path}`);
      await expect.poll(() => server.wasm().length).toBeGreaterThanOrEqual(answers);
      return {
        result,
        // Browsers print each failed request.
        errors: errors.filter((error) => !error.startsWith('Failed to load resource')),
        wasm: server.wasm().map(({ status }) => status),
      };
    } finally {
      await server.close();
    }
  }

  describe.skipIf(!runs).each(DELIVERIES)('delivery %s', (delivery) => {
    const status = delivery === 'range' ? 206 : 200;

    test.each([false, true])('requests a module once, integrity: %s', async (integrity) => {
      const main = afterRequests(1, `${FORMS['?module']} ${RESULT}`);
      const { built } = await createPage(main, { plugin: { web: { delivery, integrity } } });
      expect(await visit(built.dir)).toEqual({ result: [2, 1], errors: [], wasm: [status] });
    });

    test('does not delay the entry', async () => {
      const { built } = await createPage(
        `
          import { ready } from './lazy.js';
          globalThis.later = () => import('./two.wasm?module');
          ${WAIT}
          while (await (await fetch('/failed')).text() !== '1') await wait();
          globalThis.result = ready;`,
        { files: { 'lazy.js': 'export const ready = true;' }, plugin: { web: { delivery } } },
      );
      // The server never answers the request.
      const fails = { name: /two-.*wasm$/, how: 'holds', times: 1 } as const;
      expect(await visit(built.dir, 0, { fails })).toMatchObject({ result: true, errors: [] });
    });

    test('causes no unhandled rejection if a request fails and the module is never imported', async () => {
      const main = afterRequests(
        1,
        `await asked[0].answer; await wait(200);
        globalThis.later = () => import('./two.wasm?module');
        globalThis.result = [uncaught, asked.length];`,
      );
      const { built } = await createPage(main, { plugin: { web: { delivery } } });
      const fails = { name: /two-.*wasm$/, how: 503, times: 9 } as const;
      expect(await visit(built.dir, 1, { fails })).toEqual({ result: [[], 1], errors: [], wasm: [503] });
    });

    test.each(Object.entries(FORMS))('requests a module again after a failure: %s', async (_, form) => {
      const main = afterRequests(1, `await asked[0].answer; await wait(200); ${form} ${RESULT}`);
      const { built } = await createPage(main, { plugin: { web: { delivery } } });
      const fails = { name: /two-.*wasm$/, how: 503, times: 1 } as const;
      expect(await visit(built.dir, 2, { fails })).toEqual({
        result: [2, 2],
        errors: [],
        wasm: [503, status],
      });
    });

    test.each(['module', 'init'] as const)(
      'requests only the primary of a split module: %s',
      async (form) => {
        const project = await createSplitProject('', {
          'index.html': RECORDING,
          'main.js': afterRequests(
            1,
            `const { default: made } = await import('./one.wasm?${form}');
          const early = asked.length;
          const { exports } = ${form === 'module' ? `new WebAssembly.Instance(made, ${IMPORTS})` : `await made(${IMPORTS})`};
          const primary = asked[0].url;
          globalThis.result = [exports.start(), early, /\\/one\\.(primary|split)-/.test(primary), exports.second(1000)];`,
          ),
        });
        const built = await buildClient(project, {
          plugin: {
            profile: project.path('profiles'),
            split: TWO_SECONDARIES,
            web: { delivery, preload: 'all' },
          },
          vite: { build: { target: 'es2022' } },
        });
        const { result, errors } = await visit(built.dir);
        // Firefox prints each aborted request.
        expect(errors.filter((error) => !error.includes('AbortError'))).toEqual([]);
        expect(result).toEqual([42, 1, true, 1044]);
      },
    );
  });

  test.skipIf(!runs).each(Object.entries(FORMS))('the import %s uses the early request', async (_, form) => {
    const { built } = await createPage(afterRequests(1, `${form} ${RESULT}`));
    expect(await visit(built.dir)).toEqual({ result: [2, 1], errors: [], wasm: [200] });
  });

  test.skipIf(!runs)('the entry runs if the chunk that sends the request cannot be loaded', async () => {
    const { built } = await createPage(`
      globalThis.later = () => import('./two.wasm?module');
      globalThis.result = ['runs', asked.length];`);
    const fails = { name: /two-.*js$/, how: 503, times: 9 } as const;
    expect(await visit(built.dir, 0, { fails })).toMatchObject({ result: ['runs', 0] });
  });

  test.skipIf(!runs)(
    'modules that lazily imported code imports, statically or lazily, are requested',
    async () => {
      const { built } = await createPage(
        afterRequests(
          2,
          `globalThis.result = [...await (await import('./lazy.js')).values(), asked.length];`,
        ),
        {
          files: {
            'lazy.js': `
            import one from './one.wasm?init';
            export const values = async () => [(await one()).exports.value(), await (await import('./deeper.js')).value()];`,
            'deeper.js': `export const value = async () => { ${FORMS['?init']} return exports.value(); };`,
          },
        },
      );
      expect(await visit(built.dir, 2)).toEqual({ result: [1, 2, 2], errors: [], wasm: [200, 200] });
    },
  );

  test.skipIf(!runs)('a module is requested once with a relative base and a page in a folder', async () => {
    const project = await createProject({
      'deep/er/index.html': RECORDING,
      'deep/er/main.js': afterRequests(1, `${FORMS['?module'].replace('./', '../../')} ${RESULT}`),
      'two.wasm': watOfValue(2),
    });
    const built = await buildClient(project, {
      plugin: { web: { preload: 'all' } },
      vite: {
        base: './',
        build: { target: 'es2022', rolldownOptions: { input: project.path('deep/er/index.html') } },
      },
    });
    expect(await visit(built.dir, 1, {}, 'deep/er/')).toEqual({ result: [2, 1], errors: [], wasm: [200] });
  });

  test.skipIf(!runs)('a module is requested once from a server of another origin', async () => {
    const files = await createProject({ 'later.txt': '' });
    // The base URL needs the port, which is known only when the server listens.
    const cdn = await serveFolder(files.folder, { cors: true, dev: true });
    try {
      const { project, built } = await createPage(afterRequests(1, `${FORMS['?module']} ${RESULT}`), {
        base: cdn.url,
      });
      for (const name of built.files) await files.write({ [name]: await project.read('out', name) });
      expect(await visit(built.dir, 0)).toEqual({ result: [2, 1], errors: [], wasm: [] });
      await expect.poll(() => cdn.wasm()).toHaveLength(1);
    } finally {
      await cdn.close();
    }
  });
});

test.skipIf(!CHROMIUM.runs).each(OLDER_VITES)(
  'a page built by %s requests a module once',
  async (bundler) => {
    const { built } = await createPage(afterRequests(1, `${FORMS['?module']} ${RESULT}`), { bundler });
    const browser = await CHROMIUM.launch();
    const server = await serveFolder(built.dir);
    try {
      expect(await browser.open(server.url)).toMatchObject({ result: [2, 1], errors: [] });
      await expect.poll(() => server.wasm()).toHaveLength(1);
    } finally {
      await server.close();
      await browser.close();
    }
  },
);

const scripts = async (project: Project) =>
  [...(await htmlOf(project)).matchAll(/<script type="module" async[^>]* src="[^"]*\/(\w+)-/g)].map(
    ([, name]) => name,
  );

describe('the HTML', () => {
  const MAIN = `
    globalThis.later = () => import('./two.wasm?module');
    import init from './one.wasm?init';
    globalThis.early = init;`;

  test('lists modules of the entry first, and lazily imported ones once', async () => {
    const { project } = await createPage(MAIN);
    expect(await scripts(project)).toEqual(['one', 'two']);
    const html = await htmlOf(project);
    const urls = [...html.matchAll(/(?:href|src)="(\/[^"]+)"/g)].map(([, url]) => url);
    // The chunk that starts the request, and the chunk that the page imports.
    const lazy = urls.filter((url) => url?.includes('/two-'));
    expect(new Set(lazy).size).toBe(2);
    const links = [...html.matchAll(/<link [^>]*href="(\/[^"]+)"/g)].map(([, url]) => url);
    expect(new Set(links).size).toBe(links.length);
    expect(urls.filter((url) => url?.endsWith('.wasm'))).toEqual([]);
  });

  test('runs the chunks that send requests before the entry', async () => {
    const { project } = await createPage(MAIN);
    const inOrder = [
      ...(await htmlOf(project)).matchAll(
        /<script type="module" crossorigin src="[^"]*\/(\w+)-[^"]*"><\/script>/g,
      ),
    ];
    expect(inOrder.map(([, name]) => name)).toEqual(['two', 'index']);
  });

  test('lists only modules of the entry with `preload: true`', async () => {
    const { project } = await createPage(MAIN, { plugin: { web: { preload: true } } });
    expect(await scripts(project)).toEqual(['one']);
  });
});
