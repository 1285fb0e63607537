/**
 * Chromium keeps the code of modules that it has optimised, and later visits run that. What a first call compiles tells:
 * V8's own trace, not a time.
 */
import { utimes } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { buildClient, type PluginOptions } from '../support/bundlers.ts';
import { HAS_CHROMIUM } from '../support/chromium.ts';
import { createProject } from '../support/project.ts';
import { serveFolder } from '../support/static-server.ts';
import { TracedProfile } from '../support/traced-chromium.ts';
import { HTML } from './pages.ts';

/** Chromium writes its cache some time after code was optimised, which no page can see. */
const VISITS = 4;

const AT_ONCE = "import module from '@swc/wasm-web/wasm_bg.wasm?module';";

/** After other work, of which the request does not wait for the end. */
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

/** How many functions the first call of each visit compiles. */
async function countCompiled(
  web: NonNullable<PluginOptions['web']>,
  enough: (count: number) => boolean,
  importModule = AT_ONCE,
) {
  const project = await createProject(createPage(importModule));
  const { dir, files } = await buildClient(project, { plugin: { web } });
  // Browsers cache parts of a file only where it can be told that all are of one version: files that have just been
  // written might change within the second that `Last-Modified` has.
  const hourAgo = Date.now() / 1000 - 3600;
  for (const file of files) await utimes(project.path('out', file), hourAgo, hourAgo);
  const server = await serveFolder(dir, {
    headers: { 'cache-control': 'public, max-age=31536000, immutable' },
  });
  const profile = await TracedProfile.create();
  try {
    const counts: number[] = [];
    while (counts.length === 0 || (counts.length < VISITS && !enough(counts.at(-1) ?? 0))) {
      const count = await profile.visit(server.url, async ({ page, compiled }) => {
        await page.waitForFunction(() => (globalThis as unknown as Partial<PageGlobals>).result);
        await compiled();
        await page.evaluate(() => (globalThis as unknown as PageGlobals).call().length);
        const first = await compiled();
        await page.evaluate(() => (globalThis as unknown as PageGlobals).work());
        await page.waitForTimeout(3000);
        return first;
      });
      counts.push(count);
    }
    // Only the first visit asks the server for the module.
    expect(server.wasm()).toHaveLength(1);
    return counts;
  } finally {
    await server.close();
    await profile.remove();
  }
}

const isCached = (count: number) => count < 50;

test.skipIf(!HAS_CHROMIUM).each(['stream', 'range'] as const)(
  'delivery %s: later visits run code that was cached',
  async (delivery) => {
    const counts = await countCompiled({ delivery }, isCached);
    expect(counts[0]).toBeGreaterThan(300);
    expect(counts.at(-1)).toSatisfy(isCached);
  },
);

test.skipIf(!HAS_CHROMIUM)('so they do where it is imported lazily and asked for with the page', async () => {
  const counts = await countCompiled({ preload: 'all' }, isCached, LAZILY);
  expect(counts[0]).toBeGreaterThan(300);
  expect(counts.at(-1)).toSatisfy(isCached);
});

test
  .skipIf(!HAS_CHROMIUM)
  .each<NonNullable<PluginOptions['web']>>([{ preload: 'link' }, { delivery: 'inflate' }])(
  'what the README says is lost with %j',
  async (web) => {
    const counts = await countCompiled(web, isCached);
    expect(counts).toHaveLength(VISITS);
    expect(Math.min(...counts)).toBeGreaterThan(300);
  },
);
