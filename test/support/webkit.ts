/**
 * Debian's WebKitGTK: its MiniBrowser, driven over WebDriver by its own driver. Neither playwright-core nor
 * puppeteer-core supports it.
 */
import { execa } from 'execa';
import type { PageRun } from './chromium.ts';
import { findFreePort } from './free-port.ts';
import { findProgram, requireExecutable, runsTestsIn } from './tools.ts';

const DRIVER = findProgram('WebKitWebDriver');
const DISPLAY = findProgram('xvfb-run');
/** The browser is not in PATH but in the library's folder. */
const BROWSER = findProgram(
  'MiniBrowser',
  '/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1:/usr/lib/aarch64-linux-gnu/webkit2gtk-4.1',
);

/** Whether the tests in WebKit run. */
export const HAS_WEBKIT = runsTestsIn('WebKit', [DRIVER, DISPLAY, BROWSER]);

export interface WebKit {
  /** WebDriver does not report errors of the page: `PageRun.errors` is empty. */
  open(url: string): Promise<PageRun>;
  close(): Promise<void>;
}

export async function launchWebKit(): Promise<WebKit> {
  const display = requireExecutable('WebKit', DISPLAY);
  const driverFile = requireExecutable('WebKit', DRIVER);
  const binary = requireExecutable('WebKit', BROWSER);
  const port = await findFreePort();
  // The sandbox does not start as root, and there is no display.
  const env = { WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1', WEBKIT_DISABLE_COMPOSITING_MODE: '1' };
  const driver = execa(display, ['-a', driverFile, `--port=${port}`], {
    env,
    reject: false,
    stdio: 'ignore',
    // xvfb-run does not pass signals on, so the whole process group is ended.
    detached: true,
  });
  const endDriver = async () => {
    if (driver.pid !== undefined) process.kill(-driver.pid);
    await driver;
  };
  const call = async (method: string, path: string, body?: object): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${port}/session${path}`, {
      method,
      ...(body && { body: JSON.stringify(body) }),
    });
    const { value } = (await response.json()) as { value: unknown };
    if (!response.ok) throw new Error(`WebKitWebDriver: ${path}: ${JSON.stringify(value)}`);
    return value;
  };
  try {
    const options = { binary, args: ['--automation'] };
    const capabilities = { alwaysMatch: { 'webkitgtk:browserOptions': options } };
    const { sessionId } = (await retry(() => call('POST', '', { capabilities }))) as { sessionId: string };
    const run = (script: string) => call('POST', `/${sessionId}/execute/sync`, { script, args: [] });
    return {
      async open(url) {
        await call('POST', `/${sessionId}/url`, { url });
        for (let waited = 0; waited < 60_000; waited += 50) {
          const result = await run('return globalThis.result');
          if (result !== null && result !== undefined) {
            const urls = (await run(
              `return performance.getEntriesByType('resource').map(({ name }) => name)`,
            )) as string[];
            return { result, errors: [], fetched: urls.map((each) => new URL(each).pathname) };
          }
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        throw new Error(`${url} gave no result`);
      },
      async close() {
        await call('DELETE', `/${sessionId}`);
        await endDriver();
      },
    };
  } catch (error) {
    await endDriver();
    throw error;
  }
}

/** Retries until the driver listens. */
async function retry<Result>(task: () => Promise<Result>): Promise<Result> {
  for (let waited = 0; ; waited += 100) {
    try {
      return await task();
    } catch (error) {
      if (waited > 20_000 || !(error instanceof TypeError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
