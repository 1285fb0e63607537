/** Builds for browsers: all import forms work, without native code. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import {
  build,
  buildBothSides,
  buildClient,
  type BuildResult,
  OLDER_VITES,
  type ViteName,
  VITES,
  viteConfig,
} from '../support/bundlers.ts';
import { HAS_CHROMIUM, launchChromium, openPage, type PageRun } from '../support/chromium.ts';
import { createProject, type Project, runWell } from '../support/project.ts';
import { wat, watOfValue } from '../support/wat.ts';

const FILES = {
  'index.html':
    '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="module" src="./main.js"></script>',
  'env.js': 'export const offset = () => 1000;',
  'math.wasm': wat(`(module
    (import "./env.js" "offset" (func $offset (result i32)))
    (global (export "answer") (mut i32) (i32.const 42))
    (func (export "add") (param i32 i32) (result i32)
      local.get 0 local.get 1 i32.add call $offset i32.add))`),
  'user.wasm': wat(`(module
    (import "./math.wasm" "answer" (global $answer (mut i32)))
    (func (export "read") (result i32) global.get $answer))`),
  'init.wasm': watOfValue(3),
  'url.wasm': watOfValue(4),
  'main.js': `
    import { initWasm, Resvg } from '@resvg/resvg-wasm';
    import resvgModule from '@resvg/resvg-wasm/index_bg.wasm?module';
    import { add, answer } from './math.wasm';
    import { read } from './user.wasm';
    import init from './init.wasm?init';
    import url from './url.wasm?url';

    const instances = await Promise.all([init(), init({})]);
    await initWasm(resvgModule);
    const picture = new Resvg('<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"/>').render();
    const fetched = await WebAssembly.instantiateStreaming(fetch(url));
    const fetchedToo = await WebAssembly.instantiateStreaming(fetch(new URL('./url.wasm', import.meta.url)));
    globalThis.result = {
      sum: add(2, 3),
      globals: [answer, read()],
      instances: instances.map(({ exports }) => exports.value()),
      picture: [picture.width, picture.height, resvgModule instanceof WebAssembly.Module],
      urls: [fetched, fetchedToo].map(({ instance }) => instance.exports.value()),
    };
  `,
};

const RESULT = {
  sum: 1005,
  globals: [42, 42],
  instances: [3, 3],
  picture: [20, 10, true],
  urls: [4, 4],
};

const inBrowser = test.skipIf(!HAS_CHROMIUM);

let browser: Browser;

beforeAll(async () => {
  if (HAS_CHROMIUM) browser = await launchChromium();
});

afterAll(() => (HAS_CHROMIUM ? browser.close() : undefined));

interface Visit {
  dir: string;
  base?: string;
  vite?: ViteName;
  prepare?: (page: Page) => Promise<unknown>;
}

/** Serves a build with `vite preview` and opens its page. */
async function visit(project: Project, { dir, base = '/', vite = 'vite', prepare }: Visit): Promise<PageRun> {
  const server = await VITES[vite].preview({
    ...viteConfig(project, [], false),
    base,
    build: { outDir: dir },
    preview: { host: '127.0.0.1', port: 0 },
  });
  try {
    const [url = ''] = server.resolvedUrls?.local ?? [];
    return await openPage(browser, url, prepare);
  } finally {
    await server.close();
  }
}

describe.each<{ bundler: ViteName; base: string }>([
  ...['/', '/sub/', './'].map((base) => ({ bundler: 'vite' as const, base })),
  ...OLDER_VITES.map((bundler) => ({ bundler, base: './' })),
])('$bundler, base $base', ({ bundler, base }) => {
  let project: Project;
  let built: BuildResult;

  beforeAll(async () => {
    project = await createProject(FILES);
    built = await buildClient(project, { bundler, vite: { base, build: { assetsInlineLimit: 0 } } });
  });

  test('emits wasm files and no artifact', async () => {
    expect(built.artifacts).toEqual([]);
    const modules = built.files.filter((file) => file.endsWith('.wasm'));
    expect(modules.map((file) => file.replace(/^assets\/(.+)-[\w-]{8}\.wasm$/, '$1')).toSorted()).toEqual([
      'index_bg',
      'init',
      'math',
      'url',
      'user',
    ]);
    for (const file of modules) {
      const bytes = await project.read('out', file);
      expect(bytes.subarray(0, 8).toString('hex')).toBe('0061736d01000000');
    }
    expect(built.warnings).toEqual([]);
  });

  inBrowser('gives the expected results in Chromium', async () => {
    const { result, errors, fetched } = await visit(project, { dir: built.dir, base, vite: bundler });
    expect(result).toEqual(RESULT);
    expect(errors).toEqual([]);
    expect(fetched.filter((path) => path.endsWith('.elf'))).toEqual([]);
    // One request for each module; the page itself fetches one module twice.
    expect(fetched.filter((path) => path.endsWith('.wasm'))).toHaveLength(6);
  });
});

inBrowser('inlines modules below the limit in the JavaScript', async () => {
  const project = await createProject(FILES);
  const built = await buildClient(project, { plugin: { inline: undefined } });
  const modules = built.files.filter((file) => file.endsWith('.wasm'));
  expect(modules).toEqual([expect.stringContaining('index_bg')]);
  const { result, errors } = await visit(project, { dir: built.dir });
  expect(result).toEqual(RESULT);
  expect(errors).toEqual([]);
});

describe('a page', () => {
  const files = {
    'index.html': FILES['index.html'],
    'one.wasm': watOfValue(1),
    'main.js': `
      import init from './one.wasm?init';
      globalThis.result = await init().then(({ exports }) => exports.value(), String);
    `,
  };

  inBrowser('loads a module from a server that does not know its MIME type', async () => {
    const project = await createProject(files);
    const { dir } = await buildClient(project);
    const { result, errors } = await visit(project, {
      dir,
      prepare: (page) =>
        page.route('**/*.wasm', async (route) => {
          const response = await route.fetch();
          await route.fulfill({ response, headers: { 'content-type': 'application/octet-stream' } });
        }),
    });
    expect(result).toBe(1);
    expect(errors).toEqual([]);
  });

  inBrowser('throws an error with the URL if the server does not find the file', async () => {
    const project = await createProject(files);
    const { dir } = await buildClient(project);
    const { result } = await visit(project, {
      dir,
      prepare: (page) =>
        page.route('**/*.wasm', (route) => route.fulfill({ status: 404, body: 'no such file' })),
    });
    expect(result).toMatch(/one-[\w-]+\.wasm.*HTTP 404/);
  });
});

describe.each(['rollup', 'rolldown'] as const)('%s with `platform: "browser"`', (bundler) => {
  inBrowser('emits wasm files that Chromium loads', async () => {
    const project = await createProject({
      'one.wasm': watOfValue(1),
      'two.wasm': watOfValue(2),
      'three.wasm': watOfValue(3),
      'main.js': `
        import { value } from './one.wasm';
        import init from './two.wasm?init';
        import module from './three.wasm?module';
        globalThis.result = [
          value(), (await init()).exports.value(), new WebAssembly.Instance(module).exports.value(),
        ];
      `,
    });
    const { dir, files } = await build(bundler, project, {
      plugin: { platform: 'browser' },
      output: { entryFileNames: 'js/[name].js', assetFileNames: 'as%20sets/[name][extname]' },
    });
    expect(files).toEqual(['as%20sets/one.wasm', 'as%20sets/three.wasm', 'as%20sets/two.wasm', 'js/main.js']);
    await project.write({ 'out/index.html': '<script type="module" src="./js/main.js"></script>' });
    expect((await visit(project, { dir })).result).toEqual([1, 2, 3]);
  });
});

inBrowser.each([true, false])(
  'emits wasm for the client and artifacts for the server in one Vite build, shared plugins: %s',
  async (sharedPlugins) => {
    const project = await createProject({
      'index.html': FILES['index.html'],
      'one.wasm': watOfValue(1),
      'main.js': `
      import { value } from './one.wasm';
      globalThis.result = value();
      globalThis.process && console.log(globalThis.result);
    `,
    });
    const warnings: string[] = [];
    await buildBothSides(project, viteConfig(project, warnings), sharedPlugins);

    expect(warnings).toEqual([]);
    const client = await project.list('client');
    const server = await project.list('server');
    expect(client.filter((file) => /\.(wasm|elf)$/.test(file))).toEqual([expect.stringMatching(/\.wasm$/)]);
    expect(server.filter((file) => /\.(wasm|elf)$/.test(file))).toEqual([expect.stringMatching(/\.elf$/)]);
    expect((await visit(project, { dir: project.path('client') })).result).toBe(1);
    const { result, loads } = await runWell(project.path('server/main.js'));
    expect(result).toBe(1);
    expect(loads).toMatchObject([{ how: 'precompiled' }]);
  },
);
