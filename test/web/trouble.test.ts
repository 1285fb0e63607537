/** Failures between a page and its modules, and their error messages. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { glob } from 'tinyglobby';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildClient, type PluginOptions } from '../support/bundlers.ts';
import type { Files } from '../support/project.ts';
import { type Behaviour, serveFolder, type StaticServer } from '../support/static-server.ts';
import { BROWSERS, type OpenBrowser } from './browsers.ts';
import { HTML, onePage } from './pages.ts';

const DELIVERIES = ['stream', 'range', 'inflate'] as const;

const SWC: Files = {
  'main.js': `
    import init, { transformSync } from '@swc/wasm-web';
    import module from '@swc/wasm-web/wasm_bg.wasm?module';
    await init({ module_or_path: module });
    globalThis.result = transformSync('let one: number = 1', { jsc: { parser: { syntax: 'typescript' } } }).code;
  `,
};

const before = (script: string) => HTML.replace('<meta', `<script>${script}</script><meta`);

interface Case {
  plugin?: PluginOptions;
  base?: string;
  behaviour?: Behaviour;
  files?: Files;
  /** Changes the output. */
  change?: (dir: string) => Promise<unknown>;
}

const removeWasm = async (dir: string) => {
  for (const file of await glob('**/*.wasm', { cwd: dir, absolute: true })) await rm(file);
};

describe.each(BROWSERS)('in $name', ({ name, runs, launch }) => {
  let browser: OpenBrowser;

  beforeAll(async () => {
    if (runs) browser = await launch();
  });
  afterAll(() => browser?.close());

  async function visit({ plugin = {}, base = '/', behaviour, files, change }: Case) {
    const project = await onePage(files);
    const built = await buildClient(project, { plugin, vite: { base } });
    await change?.(built.dir);
    const server = await serveFolder(built.dir, behaviour);
    try {
      const run = await browser.open(server.url);
      return { ...run, wasm: server.wasm() };
    } finally {
      await server.close();
    }
  }

  describe.skipIf(!runs).each(DELIVERIES)('delivery %s', (delivery) => {
    const plugin = { web: { delivery } };

    test('throws an error with the status for a missing file', async () => {
      const { result } = await visit({ plugin, change: removeWasm });
      expect(result).toMatch(/^http:\S+one-[\w-]+\.wasm: cannot load this wasm module: HTTP 404$/);
    });

    test('names the MIME type if the server answers with index.html and status 200', async () => {
      const { result } = await visit({ plugin, change: removeWasm, behaviour: { spa: true, ranges: false } });
      expect(result).toMatch(
        /^http:\S+one-[\w-]+\.wasm: cannot load this wasm module: \S.+\(the server answered with the type text\/html/,
      );
    });

    test('requests a file again when the connection breaks once', async () => {
      const { result, errors, wasm } = await visit({
        plugin,
        files: SWC,
        behaviour: { breaks: { after: 1_000_000, times: 1 } },
      });
      expect(result).toContain('one = 1');
      expect(
        errors.filter((error) => !/ERR_|Failed to load resource|Error in input stream/.test(error)),
      ).toEqual([]);
      expect(wasm).toHaveLength(2);
    });

    test('throws an error when the connection breaks twice', async () => {
      const { result, wasm } = await visit({
        plugin: { web: { delivery, preload: false } },
        files: {
          'main.js': `
            import init from '@swc/wasm-web/wasm_bg.wasm?init';
            globalThis.result = await init().then(String, (error) => error.message);
          `,
        },
        behaviour: { breaks: { after: 1_000_000, times: 9 } },
      });
      expect(result).toMatch(/^http:\S+wasm_bg-[\w-]+\.wasm: cannot load this wasm module: \S/);
      expect(wasm).toHaveLength(2);
    });

    test('throws an error for a damaged file', async () => {
      const { result } = await visit({
        plugin,
        change: async (dir) => {
          for (const file of await glob('**/*.wasm', { cwd: dir, absolute: true })) {
            await writeFile(file, 'damaged');
          }
        },
      });
      expect(result).toMatch(/^http:\S+one-[\w-]+\.wasm: cannot load this wasm module: \S/);
    });

    test('loads a module without `WebAssembly.compileStreaming`', async () => {
      const html = before('delete WebAssembly.compileStreaming; delete WebAssembly.instantiateStreaming');
      const { result, errors } = await visit({ plugin, files: { 'index.html': html } });
      expect({ result, errors }).toEqual({ result: 1, errors: [] });
    });

    test('loads a module without `DecompressionStream`', async () => {
      const html = before('delete globalThis.DecompressionStream');
      const { result, errors } = await visit({ plugin, files: { 'index.html': html } });
      expect({ result, errors }).toEqual({ result: 1, errors: [] });
    });

    test('throws an error under a content security policy without `wasm-unsafe-eval`', async () => {
      const { result, wasm } = await visit({
        plugin,
        behaviour: { headers: { 'content-security-policy': "script-src 'self'" } },
      });
      // WebKit compiles but refuses to instantiate, with an error of its own.
      expect(result).toMatch(
        name === 'WebKit'
          ? /^Refused to create a WebAssembly object/
          : /^http:\S+one-[\w-]+\.wasm: cannot load this wasm module: .*(Content Security Policy|CSP|blocked)/i,
      );
      // A retry would fail as well. The page's own import still sends one more request and receives its error.
      expect(wasm.length).toBeLessThanOrEqual(2);
    });

    test('loads a module under a content security policy with `wasm-unsafe-eval`', async () => {
      const { result, errors } = await visit({
        plugin,
        behaviour: {
          headers: {
            'content-security-policy':
              "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src data:",
          },
        },
      });
      expect({ result, errors }).toEqual({ result: 1, errors: [] });
    });

    test.each([{}, { ranges: false as const }, { compress: 'gzip' as const }])(
      'loads a module with subresource integrity from a server with %j',
      async (behaviour) => {
        const { result, errors, wasm } = await visit({
          plugin: { web: { delivery, integrity: true } },
          behaviour,
        });
        expect({ result, errors }).toEqual({ result: 1, errors: [] });
        expect(wasm).toHaveLength(1);
      },
    );

    test('throws an error if the subresource integrity does not match', async () => {
      const { result } = await visit({
        plugin: { web: { delivery, integrity: true } },
        // The changed file is still a valid module, or an artifact with one.
        change: async (dir) => {
          for (const file of await glob('**/*.wasm', { cwd: dir, absolute: true })) {
            const bytes = await readFile(file);
            const constant = bytes.indexOf(Uint8Array.of(0x41, 1, 0x0b));
            if (constant !== -1) bytes[constant + 1] = 2;
            await writeFile(file, Buffer.concat([bytes, Uint8Array.of(0, 1, 0)]));
          }
        },
      });
      expect(result).toMatch(/^http:\S+one-[\w-]+\.wasm: cannot load this wasm module: \S/);
    });

    test('loads a module from a server of another origin', async () => {
      const project = await onePage();
      // The base URL needs the CDN's port, which is known only when it listens.
      await project.write({ 'out/later.txt': '' });
      const cdn: StaticServer = await serveFolder(project.path('out'), { cors: true, dev: true });
      const built = await buildClient(project, { plugin, vite: { base: cdn.url } });
      const page = await serveFolder(built.dir);
      try {
        const { result, errors } = await browser.open(page.url);
        expect({ result, errors }).toEqual({ result: 1, errors: [] });
        expect(page.wasm()).toEqual([]);
        expect(cdn.wasm()).toHaveLength(1);
      } finally {
        await page.close();
        await cdn.close();
      }
    });
  });

  test.skipIf(!runs)('throws an error when the server is gone', async () => {
    const project = await onePage({
      'main.js': `
        import init from './one.wasm?init';
        // The server ends after this request.
        while (await fetch('/gone').then(() => true, () => false)) await new Promise((resolve) => setTimeout(resolve, 20));
        globalThis.result = await init().then(String, (error) => error.message);
      `,
    });
    const built = await buildClient(project, { plugin: { web: { preload: false } } });
    const server = await serveFolder(built.dir);
    const opened = browser.open(server.url);
    const closed = (async () => {
      while (!server.answers.some(({ path }) => path === '/gone')) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await server.close();
    })();
    const { result } = await opened;
    await closed;
    expect(result).toMatch(/^http:\S+one-[\w-]+\.wasm: cannot load this wasm module: \S/);
  });
});
