/** Debian's Firefox, driven over WebDriver BiDi by puppeteer-core: playwright-core needs its own Firefox build. */
import { type Browser, launch } from 'puppeteer-core';
import type { PageRun } from './chromium.ts';
import { findProgram, requireExecutable, runsTestsIn } from './tools.ts';

const EXECUTABLE = findProgram('firefox-esr');

/** Whether the tests in Firefox run. */
export const HAS_FIREFOX = runsTestsIn('Firefox', [EXECUTABLE]);

export async function launchFirefox(): Promise<Browser> {
  const executablePath = requireExecutable('Firefox', EXECUTABLE);
  return launch({ browser: 'firefox', executablePath, headless: true });
}

/** Like `openPage` in chromium.ts. */
export async function openInFirefox(browser: Browser, url: string): Promise<PageRun> {
  const page = await browser.newPage();
  const errors: string[] = [];
  const fetched: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  page.on('request', (request) => fetched.push(new URL(request.url()).pathname));
  try {
    await page.goto(url);
    const handle = await page
      .waitForFunction(() => (globalThis as { result?: unknown }).result, { timeout: 30_000 })
      .catch((cause: unknown) => {
        throw new Error(`${url} gave no result: ${errors.join('; ')}`, { cause });
      });
    return { result: await handle.jsonValue(), errors, fetched };
  } finally {
    await page.close();
  }
}
