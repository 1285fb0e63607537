/** The playground's page in each delivery, from a plain static server. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildPage, WEB_MODES } from '../../playground/web/build.ts';
import { HAS_CHROMIUM, launchChromium } from '../support/chromium.ts';
import { createProject, type Project } from '../support/project.ts';
import { serveFolder, type StaticServer } from '../support/static-server.ts';
import { BROWSERS, type OpenBrowser } from './browsers.ts';

const PAGE = fileURLToPath(new URL('../../playground/web/', import.meta.url));

let project: Project;
let server: StaticServer;

beforeAll(async () => {
  project = await createProject({});
  for (const mode of WEB_MODES) await buildPage(PAGE, mode, project.path('dist', mode), { base: './' });
  server = await serveFolder(project.path('dist'));
});
afterAll(() => server?.close());

describe.each(BROWSERS)('in $name', ({ there, launch }) => {
  let browser: OpenBrowser;
  let expected: object;

  interface Result {
    mode: string;
    digests: object;
    loaded: number;
  }

  beforeAll(async () => {
    if (!there) return;
    browser = await launch();
    const { result } = await browser.open(`${server.url}vite/`);
    expected = (result as Result).digests;
  });
  afterAll(() => browser?.close());

  test.skipIf(!there).each(WEB_MODES)('%s: shows the results of all three modules', async (mode) => {
    const { result, errors } = await browser.open(`${server.url}${mode}/`);
    expect(errors).toEqual([]);
    expect(result).toEqual({ mode, digests: expected, loaded: 3 });
    expect(Object.keys(expected)).toHaveLength(3);
  });
});

test.skipIf(!HAS_CHROMIUM)(
  'the page shows what was loaded, a waterfall, and itself without the plugin',
  async () => {
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      await page.goto(`${server.url}range/`);
      await page.locator('#waterfall .row').first().waitFor();
      expect(await page.locator('#loaded tr td:last-child').allTextContents()).toEqual(
        Array.from({ length: 3 }, () => 'a part of a file'),
      );
      expect(await page.locator('#waterfall .row span:first-child').allTextContents()).toEqual(
        expect.arrayContaining(['sql-wasm.wasm', '@swc/wasm-web: ready, first result']),
      );
      await page.locator('#plain').click();
      const plain = page.frameLocator('iframe');
      await plain.locator('#waterfall .row').first().waitFor();
      expect(await plain.locator('#built').textContent()).toMatch(/^Built without the plugin/);
      expect(await plain.locator('#loaded tr td:last-child').allTextContents()).toEqual(
        Array.from({ length: 3 }, () => 'a file'),
      );
    } finally {
      await browser.close();
    }
  },
);
