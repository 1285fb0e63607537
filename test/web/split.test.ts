/** Module splitting in browsers: modules with a startup profile, whose secondaries are loaded later. */
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Options } from 'unplugin-wasm-precompile';
import vitePlugin from 'unplugin-wasm-precompile/vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unpackArtifact } from '../../src/artifact/unpack.ts';
import { createProfile } from '../../src/profile/create.ts';
import { writeProfiles } from '../../src/profile/profile-files.ts';
import { readModule } from '../../src/wasm/binary/module.ts';
import {
  build,
  buildBothSides,
  buildClient,
  type BuildOptions,
  type BuildResult,
  listen,
  type PluginOptions,
  viteConfig,
} from '../support/bundlers.ts';
import { HAS_CHROMIUM, launchChromium, openPage } from '../support/chromium.ts';
import { createProject, type Files, runWell, SHARED_CACHE } from '../support/project.ts';
import {
  CALLS,
  createSplitProject,
  FIRST,
  IMPORTS,
  RESULTS,
  SECOND,
  TWO_SECONDARIES,
  WASM,
} from '../support/split-project.ts';
import { type Behaviour, serveFolder } from '../support/static-server.ts';
import { BROWSERS, type OpenBrowser } from './browsers.ts';
import { HTML } from './pages.ts';

/** A piece of the code of `first` and `second`. */
const BULK_CODE = Buffer.from('41011a41011a41011a', 'hex');

const DELIVERIES = ['stream', 'range', 'inflate'] as const;

const INSTANCE = `
    const { exports } = await init(${IMPORTS});
    const { start, first, second, table } = exports;`;

const MAINS = {
  esm: `
    import { start, first, second, table } from './one.wasm';
    globalThis.result = { values: ${CALLS} };`,
  init: `
    import init from './one.wasm?init';
    ${INSTANCE}
    globalThis.result = { values: ${CALLS} };`,
  module: `
    import module from './one.wasm?module';
    const { exports } = new WebAssembly.Instance(module, ${IMPORTS});
    const { start, first, second, table } = exports;
    const names = (entries) => entries.map(({ name }) => name);
    const other = (await WebAssembly.instantiate(module, ${IMPORTS})).exports;
    globalThis.result = {
      values: ${CALLS},
      other: other.second(1000),
      names: [Object.keys(exports), names(WebAssembly.Module.exports(module))],
    };`,
};

/** The page's performance entries for calls into secondaries. */
const COLD_CALLS = `performance.getEntriesByName('wasm-precompile: cold call').map(({ detail }) => [detail.secondary, detail.function, detail.waited])`;

const ATTEMPT = `const attempt = (call) => { try { return call(); } catch ({ message }) { return message; } };`;

const before = (script: string) => HTML.replace('<meta', `<script>${script}</script><meta`);

async function buildPage(
  files: Files,
  plugin: PluginOptions = {},
  options: Pick<BuildOptions, 'vite'> = {},
): Promise<BuildResult> {
  const project = await createSplitProject('', { 'index.html': HTML, ...files });
  const common = { profile: project.path('profiles'), split: TWO_SECONDARIES, ...plugin };
  const built = await buildClient(project, {
    plugin: common,
    vite: {
      build: { target: 'es2022' },
      worker: {
        format: 'es',
        plugins: () => [vitePlugin({ ...common, inline: 0, cache: SHARED_CACHE } as Options)],
      },
      ...options.vite,
    },
  });
  expect(built.warnings).toEqual([]);
  return built;
}

const isSecondary = (path: string) => /\.secondary-\d/.test(path);

/** The file of the original module. */
const isOriginal = (path: string) => /\bone-[\w-]+\.wasm$/.test(path);

describe.each(DELIVERIES)('delivery %s', (delivery) => {
  test('emits the primary, the secondaries and the original module', async () => {
    const { dir, files } = await buildPage({ 'main.js': MAINS.init }, { web: { delivery } });
    const wasm = files.filter((name) => name.endsWith('.wasm'));
    const contents = new Map(
      await Promise.all(wasm.map(async (name) => [name, await readFile(join(dir, name))] as const)),
    );
    const originals = wasm.filter(isOriginal);
    expect(originals.map((name) => contents.get(name))).toEqual([Buffer.from(WASM)]);
    if (delivery === 'range') {
      expect(wasm).toHaveLength(2);
      const { wire, split } = unpackArtifact(
        contents.get(wasm.find((name) => !originals.includes(name)) ?? '') ?? WASM,
      );
      expect(Buffer.compare(wire, WASM)).toBe(0);
      expect(split?.secondaries).toHaveLength(2);
      return;
    }
    // Inflated secondaries are emitted in both forms.
    expect(wasm.filter(isSecondary)).toHaveLength(delivery === 'inflate' ? 4 : 2);
    for (const name of wasm.filter((each) => !originals.includes(each))) {
      const bytes = contents.get(name) ?? WASM;
      const { wire } = bytes[0] === 0 ? { wire: bytes } : unpackArtifact(bytes);
      expect(WebAssembly.validate(Uint8Array.from(wire))).toBe(true);
      expect(wire.length).toBeLessThan(WASM.length);
    }
  });
});

describe.each(BROWSERS)('in $name', ({ name, runs, launch }) => {
  let browser: OpenBrowser;

  beforeAll(async () => {
    if (runs) browser = await launch();
  });
  afterAll(() => browser?.close());

  async function visit(built: BuildResult, behaviour: Behaviour = {}) {
    const server = await serveFolder(built.dir, behaviour);
    try {
      const run = await browser.open(server.url);
      // Firefox prints each aborted request.
      const errors = run.errors.filter((error) => !error.includes('AbortError'));
      return { ...run, errors, wasm: server.wasm().map(({ path }) => path) };
    } finally {
      await server.close();
    }
  }

  describe.skipIf(!runs).each(DELIVERIES)('delivery %s', (delivery) => {
    const web = { delivery };

    test.each(['esm', 'init', 'module'] as const)(
      '%s: gives the results of the original module',
      async (form) => {
        const files = { 'main.js': MAINS[form] };
        const original = await visit(await buildPage(files, { web, split: false }));
        const { result, errors, wasm } = await visit(await buildPage(files, { web }));
        expect(errors).toEqual([]);
        expect(result).toEqual(original.result);
        expect((result as { values: unknown[] }).values.slice(0, 5)).toEqual(RESULTS.slice(0, 5));
        expect(wasm.filter(isOriginal)).toEqual([]);
      },
    );

    test('loads secondaries in a worker', async () => {
      const built = await buildPage(
        {
          'worker.js': `
            import init from './one.wasm?init';
            ${ATTEMPT}
            init(${IMPORTS}).then(
              ({ exports }) => postMessage([exports.start(), exports.second(1000), ${COLD_CALLS}]),
              (error) => postMessage(String(error)));`,
          'main.js': `
            const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
            globalThis.result = await new Promise((resolve) => { worker.onmessage = ({ data }) => resolve(data); });`,
        },
        { web },
      );
      const { result, errors } = await visit(built);
      expect(errors).toEqual([]);
      expect(result).toEqual([
        42,
        1044,
        [
          [2, SECOND, true],
          [1, FIRST, true],
        ],
      ]);
    });

    test('loads secondaries in the background, so that calls do not block', async () => {
      const built = await buildPage(
        {
          'main.js': `
            import init from './one.wasm?init';
            ${INSTANCE}
            const { compileStreaming } = WebAssembly;
            let compiled = 0;
            WebAssembly.compileStreaming = (...args) => compileStreaming(...args).finally(() => compiled++);
            while (compiled < 2) await new Promise((resolve) => setTimeout(resolve, 20));
            globalThis.result = [second(1000), ${COLD_CALLS}];`,
        },
        { web },
      );
      expect((await visit(built)).result).toEqual([
        1043,
        [
          [2, SECOND, false],
          [1, FIRST, false],
        ],
      ]);
    });

    test('a call of a secondary that is being loaded sends its own request', async () => {
      const built = await buildPage(
        {
          'main.js': `
            import init from './one.wasm?init';
            ${INSTANCE}
            const until = async (path) => {
              while (await (await fetch(path)).text() !== '1') await new Promise((resolve) => setTimeout(resolve, 20));
            };
            await until('/failed');
            const value = first(100);
            await until('/given-up');
            globalThis.result = [value, ${COLD_CALLS}];`,
        },
        { web },
      );
      // With ranges the first request is for the primary.
      const fails =
        delivery === 'range'
          ? ({ name: /one\.split-/, how: 'holds', times: 1, first: 1 } as const)
          : ({ name: /one\.secondary-1-/, how: 'holds', times: 1 } as const);
      const { result, wasm } = await visit(built, { fails });
      expect(result).toEqual([142, [[1, FIRST, true]]]);
      // With the same URL, Chromium would block the call behind the other request, for 20 s.
      expect(wasm.filter((path) => path.endsWith('.wasm?now'))).toHaveLength(1);
    });

    test('a call throws if its secondary cannot be loaded, and the next call retries', async () => {
      // Requests in the background: with ranges one file has both secondaries, and the first request is for the
      // primary.
      const [background, which] =
        delivery === 'range' ? [2, { name: /one\.split-/, first: 1 }] : [1, { name: /one\.secondary-1-/ }];
      const built = await buildPage(
        {
          'main.js': `
            import init from './one.wasm?init';
            ${ATTEMPT}
            ${INSTANCE}
            const { fetch } = globalThis;
            const answers = [];
            globalThis.fetch = (...request) => {
              const answer = fetch(...request);
              answers.push(answer);
              return answer;
            };
            const wait = () => new Promise((resolve) => setTimeout(resolve, 20));
            while (answers.length < 2) await wait();
            await Promise.all(answers);
            await wait();
            globalThis.result = [attempt(() => first(100)), start(), attempt(() => first(100))];`,
        },
        { web },
      );
      const { result } = await visit(built, { fails: { ...which, how: 503, times: background + 1 } });
      expect(result).toEqual([
        expect.stringMatching(/^http:\S+one[\w.-]+\.wasm: cannot load this secondary module: HTTP 503$/),
        42,
        142,
      ]);
    });

    test('a call retries when the connection breaks', async () => {
      const built = await buildPage(
        {
          'main.js': `
            import init from './one.wasm?init';
            ${INSTANCE}
            globalThis.result = first(100);`,
        },
        { web },
      );
      const fails =
        delivery === 'range'
          ? ({ name: /one\.split-/, how: 'closes', times: 1, first: 1 } as const)
          : ({ name: /one\.secondary-1-/, how: 'closes', times: 1 } as const);
      expect((await visit(built, { fails })).result).toBe(142);
    });

    test.each<[string, Behaviour]>([
      ['that ignores ranges', { ranges: false }],
      ['that compresses', { compress: 'brotli' }],
      ['that does not know the MIME type of wasm files', { type: 'text/plain' }],
    ])('works with a server %s', async (_, behaviour) => {
      const built = await buildPage({ 'main.js': MAINS.init }, { web });
      const { result } = await visit(built, behaviour);
      expect((result as { values: unknown[] }).values.slice(0, 5)).toEqual(RESULTS.slice(0, 5));
    });

    test('a call throws if the integrity of its secondary does not match', async () => {
      const built = await buildPage(
        {
          'main.js': `
            import init from './one.wasm?init';
            ${ATTEMPT}
            ${INSTANCE}
            globalThis.result = [attempt(() => first(100)), attempt(() => second(1000))];`,
        },
        { web: { ...web, integrity: true } },
      );
      expect((await visit(built)).result).toEqual([142, 1044]);
      for (const file of built.files.filter((each) => each.endsWith('.wasm'))) {
        const bytes = await readFile(join(built.dir, file));
        const at = bytes.indexOf(BULK_CODE);
        // The changed constant is valid.
        if (at >= 0) await writeFile(join(built.dir, file), bytes.fill(2, at + 1, at + 2));
      }
      const [error] = (await visit(built)).result as string[];
      expect(error).toMatch(
        /^http:\S+one[\w.-]+\.wasm: cannot load this secondary module: its content is not that of the build$/,
      );
    });
  });

  describe.skipIf(!runs)('a split module', () => {
    const RECEIVER = `
      onmessage = ({ data: { name, module, buffer } }) => {
        const value = module && new WebAssembly.Instance(module, ${IMPORTS}).exports.second(1000);
        postMessage([name, value ?? null, buffer ? buffer.byteLength : null]);
      };`;

    const POSTING = `
      import module from './one.wasm?module';
      const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
      const answers = [];
      const done = new Promise((resolve) => {
        worker.onmessage = ({ data }) => { if (answers.push(data) === 3) resolve(); };
      });`;

    test('is posted as the original module, in the order of messages', async () => {
      const built = await buildPage({
        'worker.js': RECEIVER,
        'main.js': `
          ${POSTING}
          const buffer = new ArrayBuffer(8);
          const message = { name: 'first', module, buffer };
          worker.postMessage({ name: 'before' });
          worker.postMessage(message, [buffer]);
          message.name = 'changed';
          worker.postMessage({ name: 'after', buffer: new ArrayBuffer(3) });
          const detached = buffer.byteLength;
          await done;
          globalThis.result = [detached, ...answers];`,
      });
      const { result, errors, wasm } = await visit(built);
      expect(errors).toEqual([]);
      expect(result).toEqual([0, ['before', null, null], ['first', 1043, 8], ['after', null, 3]]);
      expect(wasm.filter(isOriginal)).toHaveLength(1);
    });

    test('throws immediately if posted with a value that cannot be cloned', async () => {
      const built = await buildPage({
        'worker.js': RECEIVER,
        'main.js': `
          ${POSTING}
          ${ATTEMPT}
          globalThis.result = [module, () => {}].map((value) => {
            try { worker.postMessage({ module, value }); return 'sent'; } catch ({ name }) { return name; }
          });`,
      });
      expect((await visit(built)).result).toEqual(['sent', 'DataCloneError']);
    });

    test('gives the same results as the original module when it is cloned', async () => {
      const files = {
        'main.js': `
          import module from './one.wasm?module';
          ${ATTEMPT}
          const value = attempt(() => structuredClone({ copy: module }).copy);
          globalThis.result = attempt(() => {
            const { exports } = new WebAssembly.Instance(value, ${IMPORTS});
            return [value === module, exports.second(1000), Object.keys(exports)];
          });`,
      };
      const original = await visit(await buildPage(files, { split: false }));
      // WebKit does not clone modules.
      if (name !== 'WebKit') {
        expect(original.result).toEqual([
          false,
          1043,
          ['memory', 'table', 'used', 'start', 'first', 'second'],
        ]);
      }
      expect((await visit(await buildPage(files))).result).toEqual(original.result);
    });
  });

  test.skipIf(!runs).each([
    ['without synchronous requests', 'delete globalThis.XMLHttpRequest'],
    [
      'without synchronous compilation',
      `const { Module } = WebAssembly;
       WebAssembly.Module = new Proxy(Module, { construct(target, [bytes]) {
         if (bytes.byteLength > 4096) throw new RangeError('too large'); return new target(bytes);
       } });`,
    ],
  ])('a browser %s loads the original module', async (_, script) => {
    const built = await buildPage({ 'index.html': before(script), 'main.js': MAINS.init });
    const { result, errors, wasm } = await visit(built);
    expect(errors).toEqual([]);
    expect((result as { values: unknown[] }).values.slice(0, 5)).toEqual(RESULTS.slice(0, 5));
    expect(wasm).toEqual([expect.stringMatching(/\bone-[\w-]+\.wasm$/)]);
  });

  test.skipIf(!runs)('a split module of wasm-bindgen draws the same picture as the original', async () => {
    const project = await createProject({
      'index.html': HTML,
      'main.js': `
        import { initWasm, Resvg } from '@resvg/resvg-wasm';
        import module from '@resvg/resvg-wasm/index_bg.wasm?module';
        await initWasm(module);
        const draw = (size) => new Resvg('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">' +
          '<circle cx="4" cy="4" r="3"/></svg>', { fitTo: { mode: 'width', value: size } }).render().asPng();
        const digest = async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)).join();
        globalThis.result = await Promise.all([10, 100].map((size) => digest(draw(size))));`,
    });
    const file = createRequire(import.meta.url).resolve('@resvg/resvg-wasm/index_bg.wasm');
    const wire = await readFile(file);
    const { importedFunctions, functions } = readModule(wire);
    const third = Array.from({ length: Math.floor(functions / 3) }, (_, i) => ({
      index: importedFunctions + i * 3,
      optimised: false,
    }));
    await writeProfiles(project.path('profiles'), [createProfile('index_bg', wire, third)]);
    const results: unknown[] = [];
    for (const split of [false, { secondaries: 3 }]) {
      const built = await buildClient(project, {
        plugin: { profile: project.path('profiles'), split },
        vite: { build: { target: 'es2022' } },
      });
      const { result, errors, wasm } = await visit(built);
      expect(errors).toEqual([]);
      expect(wasm.some((path) => path.includes('.secondary-'))).toBe(split !== false);
      results.push(result);
    }
    expect(results[1]).toEqual(results[0]);
  });
});

describe.skipIf(!HAS_CHROMIUM)('a page', () => {
  test.each(['stream', 'inflate'] as const)(
    'requests secondaries after the primary with low priority: delivery %s',
    async (delivery) => {
      const built = await buildPage(
        {
          'main.js': `
            import init from './one.wasm?init';
            ${INSTANCE}
            while (performance.getEntriesByType('resource').filter(({ name }) => /secondary-\\d/.test(name)).length < 2) {
              await new Promise((resolve) => setTimeout(resolve, 20));
            }
            globalThis.result = true;`,
        },
        { web: { delivery } },
      );
      const server = await serveFolder(built.dir);
      const browser = await launchChromium();
      try {
        const requests: [string, string][] = [];
        await openPage(browser, server.url, async (page) => {
          const session = await page.context().newCDPSession(page);
          await session.send('Network.enable');
          session.on('Network.requestWillBeSent', ({ request }) => {
            const [, file] = /(one(?:\.primary|\.secondary-\d)?)-[\w-]+\.wasm$/.exec(request.url) ?? [];
            if (file !== undefined) requests.push([file, request.initialPriority]);
          });
        });
        expect(requests).toEqual([
          ['one.primary', 'High'],
          ['one.secondary-1', 'Low'],
          ['one.secondary-2', 'Low'],
        ]);
      } finally {
        await browser.close();
        await server.close();
      }
    },
  );

  test.each([
    [
      'development',
      [
        expect.stringMatching(/secondary-2\S+: function 4 was called before/),
        expect.stringMatching(/secondary-1/),
      ],
    ],
    ['production', []],
  ])('built with the mode %s prints the expected warnings about blocked calls', async (mode, expected) => {
    const built = await buildPage(
      {
        'main.js': `
          import init from './one.wasm?init';
          ${INSTANCE}
          globalThis.result = second(1000);`,
      },
      {},
      { vite: { mode } },
    );
    const server = await serveFolder(built.dir);
    const browser = await launchChromium();
    try {
      const warnings: string[] = [];
      await openPage(browser, server.url, async (page) => {
        page.on('console', (message) => {
          if (message.type() === 'warning' && !message.text().includes('Synchronous XMLHttpRequest'))
            warnings.push(message.text());
        });
      });
      expect(warnings).toEqual(expected);
    } finally {
      await browser.close();
      await server.close();
    }
  });
});

describe.each(['rollup', 'rolldown', 'webpack', 'esbuild'] as const)('%s', (bundler) => {
  test.skipIf(!HAS_CHROMIUM).each(['init', 'module'] as const)(
    'builds pages with secondaries: %s',
    async (form) => {
      const project = await createSplitProject(MAINS[form]);
      const built = await build(bundler, project, {
        plugin: { platform: 'browser', profile: project.path('profiles'), split: TWO_SECONDARIES },
        other: { platform: 'browser' },
      });
      expect(built.files.filter((file) => file.endsWith('.wasm'))).toHaveLength(4);
      await writeFile(join(built.dir, 'index.html'), HTML);
      const server = await serveFolder(built.dir);
      const browser = await launchChromium();
      try {
        const { result, errors } = await openPage(browser, server.url);
        expect(errors).toEqual([]);
        expect(result).toMatchObject({ values: RESULTS });
      } finally {
        await browser.close();
        await server.close();
      }
    },
  );
});

test('a build for a page and its server splits both with one profile', async () => {
  const project = await createSplitProject(
    `
    import { start, first, second, table } from './one.wasm';
    globalThis.result = { values: ${CALLS} };
    globalThis.process && console.log(JSON.stringify(globalThis.result));`,
    { 'index.html': HTML },
  );
  const plugin = { profile: project.path('profiles'), split: TWO_SECONDARIES };
  await buildBothSides(project, viteConfig(project, [], plugin), true);
  expect((await project.list('client')).filter(isSecondary)).toHaveLength(2);
  const server = await project.list('server');
  const artifact = server.find((name) => name.endsWith('.elf')) ?? '';
  expect(unpackArtifact(await project.read('server', artifact)).split?.secondaries).toHaveLength(2);
  expect((await runWell(project.path('server/main.js'))).result).toEqual({ values: RESULTS });
});

describe('the summary of a build', () => {
  test.each<[string, PluginOptions, RegExp]>([
    [
      'counts the secondaries of a split module',
      { split: TWO_SECONDARIES },
      /one \(compiled in the browser; a startup loads [\d.]+ (?:Ki)?B of 6(?:\.\d)? KiB of wasm, the rest is in 2 secondary modules\)$/,
    ],
    ['lists a module without a profile', { profile: undefined }, /one \(compiled in the browser\)$/],
    ['lists a module that is not worth splitting', { split: 'auto' }, /one \(compiled in the browser\)$/],
  ])('%s', async (_, plugin, expected) => {
    const project = await createSplitProject('', { 'index.html': HTML, 'main.js': MAINS.init });
    const { plugins, infos } = listen();
    await buildClient(project, {
      plugin: { profile: project.path('profiles'), split: TWO_SECONDARIES, ...plugin },
      plugins,
    });
    expect(infos).toEqual([expect.stringMatching(expected)]);
  });
});
