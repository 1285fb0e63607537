/**
 * Chromium caches optimised code of modules, which later visits run. The tests count the functions that a first call
 * compiles, from V8's trace, and measure no times.
 */
import { utimes } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { buildClient, type PluginOptions } from '../support/bundlers.ts';
import { HAS_CHROMIUM } from '../support/chromium.ts';
import { createProject } from '../support/project.ts';
import { serveFolder } from '../support/static-server.ts';
import { TracedProfile } from '../support/traced-chromium.ts';
import { HTML } from './pages.ts';

const VISITS = 4;

/** Milliseconds to wait for a cache entry that is expected. */
const WRITE_LIMIT = 60_000;

/** Milliseconds to wait for a cache entry that must not appear: V8 offers code 2 s after the last optimisation. */
const ABSENCE_TIME = 3000;

const AT_ONCE = "import module from '@swc/wasm-web/wasm_bg.wasm?module';";

/** Imports the module after other work; the request is sent before that work ends. */
const LAZILY = `
    await new Promise((resolve) => setTimeout(resolve, 500));
    const { default: module } = await import('@swc/wasm-web/wasm_bg.wasm?module');`;

const createPage = (importModule: string) => ({
  'index.html': HTML,
  'main.js': `
    import init, { transformSync } from '@swc/wasm-web';
    ${importModule}
    await init({ module_or_path: module });
    globalThis.call = () => transformSync(
      'const one: number = 1; export default <T,>(value: T) => value', { jsc: { parser: { syntax: 'typescript' }, target: 'es5' } },
    ).code;
    globalThis.work = async () => {
      for (let count = 0; count < 600; count++) {
        globalThis.call();
        if (count % 20 === 0) await new Promise((resolve) => setTimeout(resolve));
      }
    };
    globalThis.result = true;
  `,
});

interface PageGlobals {
  result?: true;
  call(): string;
  work(): Promise<void>;
}

/**
 * Returns how many functions the first call of each visit compiles. Ends with the first visit that runs cached code.
 *
 * @param writeLimit milliseconds to wait for a cache entry after each visit
 */
async function countCompiled(
  web: NonNullable<PluginOptions['web']>,
  writeLimit: number,
  importModule = AT_ONCE,
) {
  const project = await createProject(createPage(importModule));
  const { dir, files } = await buildClient(project, { plugin: { web } });
  // Browsers cache ranges of a file only if its version is certain: a file could change again within the second of its
  // `Last-Modified` time.
  const hourAgo = Date.now() / 1000 - 3600;
  for (const file of files) await utimes(project.path('out', file), hourAgo, hourAgo);
  const server = await serveFolder(dir, {
    headers: { 'cache-control': 'public, max-age=31536000, immutable' },
  });
  const profile = await TracedProfile.create();
  try {
    const counts: number[] = [];
    while (counts.length < VISITS && !counts.some(isCached)) {
      const count = await profile.visit(server.url, async ({ page, compiled }) => {
        await page.waitForFunction(() => (globalThis as unknown as Partial<PageGlobals>).result);
        await compiled();
        await page.evaluate(() => (globalThis as unknown as PageGlobals).call().length);
        const first = await compiled();
        if (isCached(first)) return first;
        const before = await profile.codeCache();
        await page.evaluate(() => (globalThis as unknown as PageGlobals).work());
        await profile.waitForCodeCache(before, writeLimit);
        return first;
      });
      counts.push(count);
    }
    // Only the first visit requests the module from the server.
    expect(server.wasm()).toHaveLength(1);
    return counts;
  } finally {
    await server.close();
    await profile.remove();
  }
}

const isCached = (count: number) => count < 50;

test.skipIf(!HAS_CHROMIUM).each(['stream', 'range'] as const)(
  'delivery %s: later visits run cached code',
  async (delivery) => {
    const counts = await countCompiled({ delivery }, WRITE_LIMIT);
    expect(counts[0]).toBeGreaterThan(300);
    expect(counts.at(-1)).toSatisfy(isCached);
  },
);

test.skipIf(!HAS_CHROMIUM)(
  "later visits run cached code of a lazily imported module with `preload: 'all'`",
  async () => {
    const counts = await countCompiled({ preload: 'all' }, WRITE_LIMIT, LAZILY);
    expect(counts[0]).toBeGreaterThan(300);
    expect(counts.at(-1)).toSatisfy(isCached);
  },
);

test.skipIf(!HAS_CHROMIUM)(
  "Chromium caches no code with `delivery: 'inflate'`, as the README says",
  async () => {
    const counts = await countCompiled({ delivery: 'inflate' }, ABSENCE_TIME);
    expect(counts).toHaveLength(VISITS);
    expect(Math.min(...counts)).toBeGreaterThan(300);
  },
);
