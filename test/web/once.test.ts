/** A page compiles each module once, and a page and its server are built from one source. */
import { unpackArtifact } from '../../src/artifact/unpack.ts';
import vitePlugin from 'unplugin-wasm-precompile/vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildBothSides, buildClient, viteConfig } from '../support/bundlers.ts';
import { HAS_CHROMIUM } from '../support/chromium.ts';
import { createProject, runWell, SHARED_CACHE } from '../support/project.ts';
import { serveFolder } from '../support/static-server.ts';
import { TracedProfile } from '../support/traced-chromium.ts';
import { wat, watOfValue } from '../support/wat.ts';
import { BROWSERS, type OpenBrowser } from './browsers.ts';
import { HTML } from './pages.ts';

const COUNTER = wat(`(module
  (global $count (mut i32) (i32.const 0))
  (func (export "count") (result i32)
    (global.set $count (i32.add (global.get $count) (i32.const 1))) (global.get $count)))`);

describe.each(BROWSERS)('in $name', ({ name, runs, launch }) => {
  let browser: OpenBrowser;

  beforeAll(async () => {
    if (runs) browser = await launch();
  });
  afterAll(() => browser?.close());

  test.skipIf(!runs).each(['stream', 'range', 'inflate'] as const)(
    'delivery %s: importers share the module and have separate instances',
    async (delivery) => {
      const project = await createProject({
        'index.html': HTML,
        'counter.wasm': COUNTER,
        'one.js': `import init from './counter.wasm?init'; export default init;`,
        'two.js': `import init from './counter.wasm?init'; import module from './counter.wasm?module'; export { init, module };`,
        'main.js': `
          import { count } from './counter.wasm';
          import one from './one.js';
          const { init, module } = await import('./two.js');
          const instances = [await one(), await init(), new WebAssembly.Instance(module)];
          for (const { exports } of instances) exports.count();
          globalThis.result = [count(), ...instances.map(({ exports }) => exports.count())];
        `,
      });
      const { dir } = await buildClient(project, {
        plugin: { web: { delivery } },
        vite: { build: { target: 'es2022' } },
      });
      const server = await serveFolder(dir, { headers: { 'cache-control': 'no-store' } });
      try {
        expect((await browser.open(server.url)).result).toEqual([1, 2, 2, 2]);
        expect(server.wasm()).toHaveLength(1);
      } finally {
        await server.close();
      }
    },
  );

  test.skipIf(!runs).each([
    ['stream', 'es'],
    ['stream', 'iife'],
    ['range', 'es'],
    ['inflate', 'iife'],
  ] as const)(
    'delivery %s: a page and its worker in the format %s load the same file',
    async (delivery, format) => {
      const project = await createProject({
        'index.html': HTML,
        'counter.wasm': COUNTER,
        'worker.js': `
        import init from './counter.wasm?init';
        init().then(({ exports }) => { exports.count(); postMessage(exports.count()); }, (error) => postMessage(String(error)));
      `,
        'main.js': `
        import init from './counter.wasm?init';
        const { exports } = await init();
        const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
        const fromWorker = await new Promise((resolve) => { worker.onmessage = ({ data }) => resolve(data); });
        globalThis.result = [exports.count(), fromWorker];
      `,
      });
      const plugin = { web: { delivery } };
      const { dir, files, warnings } = await buildClient(project, {
        plugin,
        vite: {
          base: './',
          worker: {
            format,
            plugins: () => [vitePlugin({ ...plugin, inline: 0, threshold: 0, cache: SHARED_CACHE })],
          },
        },
      });
      expect(warnings).toEqual([]);
      expect(files.filter((file) => file.endsWith('.wasm'))).toHaveLength(delivery === 'inflate' ? 2 : 1);
      const server = await serveFolder(dir, { headers: { 'cache-control': 'max-age=3600' } });
      try {
        expect((await browser.open(server.url)).result).toEqual([1, 2]);
        expect(new Set(server.wasm().map(({ path }) => path)).size).toBe(1);
        // Browsers do not cache ranges of files this new, and WebKit's workers do not share the page's cache entries.
        if (delivery !== 'range' && name !== 'WebKit') expect(server.wasm()).toHaveLength(1);
      } finally {
        await server.close();
      }
    },
  );

  test.skipIf(!runs)('a page posts its module to a worker', async () => {
    const project = await createProject({
      'index.html': HTML,
      'counter.wasm': COUNTER,
      'worker.js': `onmessage = ({ data }) => postMessage(new WebAssembly.Instance(data).exports.count());`,
      'main.js': `
        import module from './counter.wasm?module';
        const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
        worker.postMessage(module);
        globalThis.result = await new Promise((resolve) => { worker.onmessage = ({ data }) => resolve(data); });
      `,
    });
    const { dir } = await buildClient(project);
    const server = await serveFolder(dir, { headers: { 'cache-control': 'no-store' } });
    try {
      expect((await browser.open(server.url)).result).toBe(1);
      expect(server.wasm()).toHaveLength(1);
    } finally {
      await server.close();
    }
  });
});

/** A module of both a page and its worker. */
const START = `
  import init, { transformSync } from '@swc/wasm-web';
  import module from '@swc/wasm-web/wasm_bg.wasm?module';
  await init({ module_or_path: module });
  export const call = () => transformSync('let one: number = 1', { jsc: { parser: { syntax: 'typescript' } } }).code;
`;

interface PageGlobals {
  result: true;
  call: () => string;
  startWorker: () => Promise<void>;
  callWorker: () => Promise<void>;
}

test.skipIf(!HAS_CHROMIUM)('a worker does not recompile functions that its page has compiled', async () => {
  const project = await createProject({
    'index.html': HTML,
    'start.js': START,
    'worker.js': `
      import { call } from './start.js';
      onmessage = () => postMessage(call());
      postMessage('ready');`,
    'main.js': `
      import { call } from './start.js';
      let worker;
      const answer = () => new Promise((resolve) => { worker.onmessage = () => resolve(); });
      globalThis.call = call;
      globalThis.startWorker = () => {
        worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
        return answer();
      };
      globalThis.callWorker = () => {
        worker.postMessage('go');
        return answer();
      };
      globalThis.result = true;`,
  });
  const { dir } = await buildClient(project, {
    vite: { worker: { format: 'es', plugins: () => [vitePlugin({ cache: SHARED_CACHE })] } },
  });
  const server = await serveFolder(dir, { headers: { 'cache-control': 'max-age=3600' } });
  const profile = await TracedProfile.create();
  try {
    const counts = await profile.visit(server.url, async ({ page, compiled }) => {
      await page.waitForFunction(() => (globalThis as unknown as Partial<PageGlobals>).result);
      await page.evaluate(() => (globalThis as unknown as PageGlobals).call().length);
      const byPage = await compiled();
      await page.evaluate(() => (globalThis as unknown as PageGlobals).startWorker());
      await page.evaluate(() => (globalThis as unknown as PageGlobals).callWorker());
      return { byPage, byWorker: await compiled() };
    });
    expect(counts.byPage).toBeGreaterThan(300);
    expect(counts.byWorker).toBeLessThan(counts.byPage / 10);
    expect(server.wasm()).toHaveLength(1);
  } finally {
    await server.close();
    await profile.remove();
  }
});

test.each(['stream', 'range', 'inflate'] as const)(
  'delivery %s: in a build for page and server the page has no native code and the server one copy of the module',
  async (delivery) => {
    const project = await createProject({
      'index.html': HTML,
      'one.wasm': watOfValue(1),
      'main.js': `
        import { value } from './one.wasm';
        globalThis.result = value();
        globalThis.process && console.log(globalThis.result);
      `,
    });
    await buildBothSides(project, viteConfig(project, [], { web: { delivery } }), true);
    const client = await project.list('client');
    for (const file of client.filter((name) => name.endsWith('.wasm'))) {
      const bytes = await project.read('client', file);
      if (bytes.toString('latin1', 1, 4) === 'ELF') expect(unpackArtifact(bytes).native).toEqual([]);
    }
    expect(client.filter((name) => /\.(elf|node)$/.test(name))).toEqual([]);
    const server = await project.list('server');
    expect(server.filter((name) => /\.(wasm|elf)$/.test(name))).toEqual([expect.stringMatching(/\.elf$/)]);
    const artifact = await project.read('server', server.find((name) => name.endsWith('.elf')) ?? '');
    const { wire } = unpackArtifact(artifact);
    expect(artifact.indexOf(wire)).toBeGreaterThan(0);
    expect(artifact.indexOf(wire, artifact.indexOf(wire) + 1)).toBe(-1);
    const { result, loads } = await runWell(project.path('server/main.js'));
    expect(result).toBe(1);
    expect(loads).toMatchObject([{ how: 'precompiled' }]);
  },
);
