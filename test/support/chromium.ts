/** The browser of most tests: Debian's Chromium, driven by playwright-core. */
import { type Browser, chromium, type Page } from 'playwright-core';
import { findProgram, requireExecutable, runsTestsIn } from './tools.ts';

const EXECUTABLE = findProgram('chromium');

/** Whether the tests in Chromium run. */
export const HAS_CHROMIUM = runsTestsIn('Chromium', [EXECUTABLE]);

/** @throws Error if Chromium is not installed */
export function chromiumExecutable(): string {
  return requireExecutable('Chromium', EXECUTABLE);
}

export async function launchChromium(): Promise<Browser> {
  // Chromium's sandbox does not start as root, and containers have little shared memory.
  return chromium.launch({
    executablePath: chromiumExecutable(),
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
}

/** The actions of a page until it had a result. */
export interface PageRun {
  /** The page's `globalThis.result`, transferred as JSON. */
  result: unknown;
  /** Uncaught errors, and console messages of the level error. */
  errors: string[];
  /** Paths of all requests to the page's own server. */
  fetched: string[];
}

/**
 * Opens a page and waits until it sets `globalThis.result`.
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
