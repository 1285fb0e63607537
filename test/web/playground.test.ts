/** The playground's page in each delivery, from a static server. */
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

describe.each(BROWSERS)('in $name', ({ runs, launch }) => {
  let browser: OpenBrowser;
  let expected: object;

  interface Result {
    mode: string;
    digests: object;
    loaded: number;
  }

  beforeAll(async () => {
    if (!runs) return;
    browser = await launch();
    const { result } = await browser.open(`${server.url}vite/`);
    expected = (result as Result).digests;
  });
  afterAll(() => browser?.close());

  test.skipIf(!runs).each(WEB_MODES)('mode %s: shows the results of all three modules', async (mode) => {
    const { result, errors } = await browser.open(`${server.url}${mode}/`);
    expect(errors).toEqual([]);
    expect(result).toEqual({ mode, digests: expected, loaded: 3 });
    expect(Object.keys(expected)).toHaveLength(3);
  });
});

test.skipIf(!HAS_CHROMIUM)(
  'the page lists its requests, shows a waterfall, and opens its version without the plugin',
  async () => {
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      await page.goto(`${server.url}range/`);
      await page.locator('#waterfall .row').first().waitFor();
      expect(await page.locator('#loaded tr td:last-child').allTextContents()).toEqual(
        Array.from({ length: 3 }, () => 'a range of a file'),
      );
      expect(await page.locator('#waterfall .row span:first-child').allTextContents()).toEqual(
        expect.arrayContaining(['sql-wasm.wasm', '@swc/wasm-web: ready, first result']),
      );
      await page.locator('#baseline').click();
      const baseline = page.frameLocator('iframe');
      await baseline.locator('#waterfall .row').first().waitFor();
      expect(await baseline.locator('#built').textContent()).toMatch(/^Built without the plugin/);
      expect(await baseline.locator('#loaded tr td:last-child').allTextContents()).toEqual(
        Array.from({ length: 3 }, () => 'a file'),
      );
    } finally {
      await browser.close();
    }
  },
);
