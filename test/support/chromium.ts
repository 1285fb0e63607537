/** The browser that tests run in: Debian's Chromium, driven by playwright-core. */
import { existsSync, readFileSync } from 'node:fs';
import { execa } from 'execa';
import { type Browser, chromium, type Page } from 'playwright-core';

const EXECUTABLE = '/usr/bin/chromium';

/**
 * Installs Chromium with apt-get where it is missing.
 *
 * @param tell told when something is going to take a while
 * @throws Error that says what to do where that is not possible
 */
export async function ensureChromium(tell: (message: string) => void): Promise<void> {
  if (existsSync(EXECUTABLE)) return;
  if (!isDebian() || process.getuid?.() !== 0) {
    throw new Error(
      `The tests need ${EXECUTABLE}, which can only be installed by root on Debian: install Chromium there yourself.`,
    );
  }
  tell('Installing Chromium with apt-get …');
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  try {
    await execa('apt-get', ['update'], { env });
    await execa('apt-get', ['install', '-y', '--no-install-recommends', 'chromium'], { env });
  } catch (cause) {
    throw new Error(`The tests need ${EXECUTABLE}, and apt-get cannot install it: ${String(cause)}`, {
      cause,
    });
  }
}

function isDebian(): boolean {
  try {
    return /^ID(_LIKE)?=.*debian/m.test(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return false;
  }
}

export function launchChromium(): Promise<Browser> {
  // Chromium's sandbox does not start as root, and containers have little shared memory.
  return chromium.launch({ executablePath: EXECUTABLE, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
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
