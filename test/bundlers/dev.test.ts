/** Dev servers: the same imports work, and nothing is precompiled. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { createServer } from 'vite';
import { describe, expect, test } from 'vitest';
import { viteConfig } from '../support/bundlers.ts';
import { HAS_CHROMIUM, launchChromium, openPage } from '../support/chromium.ts';
import { CHECKOUT, createProject, type Project, readPackage } from '../support/project.ts';
import { wat, watOfValue } from '../support/wat.ts';

const FILES = {
  'env.js': 'export const offset = () => 1000;',
  'modules/math.wasm': wat(`(module
    (import "../env.js" "offset" (func $offset (result i32)))
    (global (export "answer") (mut i32) (i32.const 42))
    (func (export "add") (param i32 i32) (result i32)
      local.get 0 local.get 1 i32.add call $offset i32.add))`),
  'modules/user 1.wasm': wat(`(module
    (import "./math.wasm" "answer" (global $answer (mut i32)))
    (func (export "read") (result i32) global.get $answer))`),
  'modules/init.wasm': watOfValue(3),
  'use.js': `
    import { add, answer } from './modules/math.wasm';
    import init from './modules/init.wasm?init';
    import module from './modules/init.wasm?module';
    import resvg from './resvg.wasm?module';
    import source phase from './modules/init.wasm';
    export const use = async () => ({
      sum: add(2, 3),
      answer,
      init: (await init()).exports.value(),
      module: new WebAssembly.Instance(module).exports.value(),
      exports: WebAssembly.Module.exports(resvg).length > 10,
      source: [phase === module, (await import.source('./modules/init.wasm')) === module],
    });
  `,
  'resvg.wasm': await readPackage('@resvg/resvg-wasm/index_bg.wasm'),
};

const RESULT = { sum: 1005, answer: 42, init: 3, module: 3, exports: true, source: [true, true] };

/** A configuration with a separate cache, whose folder does not exist until a module is precompiled. */
function devConfig(project: Project) {
  return {
    ...viteConfig(project, [], { cache: project.path('cache'), inline: undefined }),
    server: { watch: null, ws: false as const },
  };
}

function expectNothingPrecompiled(project: Project): void {
  expect(existsSync(project.path('cache'))).toBe(false);
}

describe('Vite in middleware mode', () => {
  test('loads all import forms for the server', async () => {
    const project = await createProject(FILES);
    const config = devConfig(project);
    const server = await createServer({
      ...config,
      appType: 'custom',
      server: { ...config.server, middlewareMode: true },
    });
    try {
      const { use } = await server.ssrLoadModule('/use.js');
      expect(await use()).toEqual(RESULT);
    } finally {
      await server.close();
    }
    expectNothingPrecompiled(project);
  });

  test('reloads a module that has changed', async () => {
    const project = await createProject({
      'one.wasm': watOfValue(1),
      'main.js': "export { value } from './one.wasm';",
    });
    const config = devConfig(project);
    const server = await createServer({
      ...config,
      appType: 'custom',
      server: { ...config.server, middlewareMode: true },
    });
    try {
      expect((await server.ssrLoadModule('/main.js'))['value']()).toBe(1);
      await project.write({ 'one.wasm': watOfValue(2) });
      server.moduleGraph.onFileChange(project.path('one.wasm'));
      expect((await server.ssrLoadModule('/main.js'))['value']()).toBe(2);
    } finally {
      await server.close();
    }
  });
});

test.skipIf(!HAS_CHROMIUM).each(['/', '/sub/'])(
  'Vite serves all import forms to Chromium, base %s',
  async (base) => {
    const project = await createProject({
      ...FILES,
      'index.html':
        '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="module" src="./main.js"></script>',
      'main.js': `
      import { use } from './use.js';
      import { read } from './modules/user 1.wasm';
      import url from './modules/init.wasm?url';
      const { instance } = await WebAssembly.instantiateStreaming(fetch(url));
      globalThis.result = { ...await use(), read: read(), url: instance.exports.value() };
    `,
    });
    const server = await createServer({
      ...devConfig(project),
      base,
      server: { host: '127.0.0.1', port: 0, watch: null },
    });
    const browser = await launchChromium();
    try {
      await server.listen();
      const [url = ''] = server.resolvedUrls?.local ?? [];
      const { result, errors } = await openPage(browser, url);
      expect(result).toEqual({ ...RESULT, read: 42, url: 3 });
      expect(errors).toEqual([]);
    } finally {
      await browser.close();
      await server.close();
    }
    expectNothingPrecompiled(project);
  },
);

test('Vitest runs tests that import wasm', async () => {
  const project = await createProject({
    ...FILES,
    'vitest.config.js': `
      import wasmPrecompile from ${JSON.stringify(join(CHECKOUT, 'dist/vite.js'))};
      export default { plugins: [wasmPrecompile({ cache: 'cache' })] };
    `,
    'wasm.test.js': `
      import { expect, test } from 'vitest';
      import { use } from './use.js';
      import { read } from './modules/user 1.wasm';
      test('wasm', async () => expect({ ...await use(), read: read() }).toEqual(${JSON.stringify({ ...RESULT, read: 42 })}));
    `,
  });
  const { stdout, stderr, exitCode } = await execa('npx', ['vitest', 'run', '--reporter=json'], {
    cwd: project.folder,
    reject: false,
    env: {
      NODE_DEBUG: 'wasm-precompile',
      NODE_OPTIONS: undefined,
      VITEST: undefined,
      VITEST_MODE: undefined,
    },
  });
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  expect(JSON.parse(stdout)).toMatchObject({ numPassedTests: 1, numFailedTests: 0 });
  expectNothingPrecompiled(project);
});
