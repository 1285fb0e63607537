/** The browser that tests run in: Debian's Chromium, driven by playwright-core. */
import { type Browser, chromium, type Page } from 'playwright-core';
import { findProgram } from './tools.ts';

const EXECUTABLE = findProgram('chromium');

/** Without it, tests in a browser are skipped; the set-up says so (setup.ts). */
export const HAS_CHROMIUM = EXECUTABLE !== undefined;

export function launchChromium(): Promise<Browser> {
  // Chromium's sandbox does not start as root, and containers have little shared memory.
  return chromium.launch({
    executablePath: EXECUTABLE ?? 'chromium',
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
}

/** What a page did until it had a result. */
export interface PageRun {
  /** The page's `globalThis.result`, by way of JSON. */
  result: unknown;
  /** Errors that nobody caught, and messages to the console of the level error. */
  errors: string[];
  /** Paths of everything that was fetched from the page's own server. */
  fetched: string[];
}

/**
 * Opens a page, which says that it is done by setting `globalThis.result`, and waits for that.
 *
 * @param prepare called before the page goes to the URL
 */
export async function openPage(
  browser: Browser,
  url: string,
  prepare?: (page: Page) => Promise<unknown>,
): Promise<PageRun> {
  const page = await browser.newPage();
  const errors: string[] = [];
  const fetched: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(`${message.text()} (${message.location().url})`);
  });
  page.on('request', (request) => fetched.push(new URL(request.url()).pathname));
  try {
    await prepare?.(page);
    await page.goto(url);
    const handle = await page
      .waitForFunction(() => (globalThis as { result?: unknown }).result, undefined, { timeout: 30_000 })
      .catch((cause: unknown) => {
        throw new Error(`${url} gave no result: ${errors.join('; ')}`, { cause });
      });
    return { result: await handle.jsonValue(), errors, fetched };
  } finally {
    await page.close();
  }
}
