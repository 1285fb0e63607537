/** Chromium with V8's trace of compiled functions. */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { execa } from 'execa';
import { chromium, type Page } from 'playwright-core';
import { chromiumExecutable } from './chromium.ts';

const TRACED = /^Compiled function .* using (Liftoff|TurboFan)/gm;

export interface TracedPage {
  page: Page;
  /** Returns how many functions V8 has compiled since the last call. */
  compiled(): Promise<number>;
}

/** A browser profile: each visit is a new process, which finds the caches that earlier visits have written. */
export class TracedProfile {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async create(): Promise<TracedProfile> {
    return new TracedProfile(await mkdtemp(join(tmpdir(), 'chromium-profile-')));
  }

  async visit<Result>(url: string, use: (traced: TracedPage) => Promise<Result>): Promise<Result> {
    // The trace goes to standard output, which playwright does not pass on.
    const browser = execa(
      chromiumExecutable(),
      [
        '--headless',
        '--no-sandbox',
        '--disable-dev-shm-usage',
        '--no-first-run',
        '--remote-debugging-port=0',
        '--js-flags=--trace-wasm-compilation-times',
        `--user-data-dir=${this.#folder}`,
        'about:blank',
      ],
      { reject: false, buffer: false },
    );
    let trace = '';
    browser.stdout.on('data', (data: Buffer) => {
      trace += data.toString();
    });
    try {
      const endpoint = await new Promise<string>((resolve, reject) => {
        let text = '';
        browser.stderr.on('data', (data: Buffer) => {
          text += data.toString();
          const found = /DevTools listening on (ws:\S+)/.exec(text)?.[1];
          if (found !== undefined) resolve(found);
        });
        void browser.then(() => reject(new Error(`chromium ended: ${text}`)));
      });
      const connection = await chromium.connectOverCDP(endpoint);
      const page = await connection.contexts()[0]?.newPage();
      if (!page) throw new Error('chromium has no context');
      await page.goto(url);
      const compiled = async () => {
        // The browser's output arrives with a delay.
        for (let before = -1; before !== trace.length;) {
          before = trace.length;
          await page.waitForTimeout(300);
        }
        const count = trace.match(TRACED)?.length ?? 0;
        trace = '';
        return count;
      };
      const result = await use({ page, compiled });
      await connection.close();
      return result;
    } finally {
      browser.kill();
      await browser;
    }
  }

  /**
   * Waits until the code cache differs from an earlier state and no longer changes, or until the time limit in
   * milliseconds has passed.
   */
  async waitForCodeCache(before: Record<string, number>, limit: number): Promise<void> {
    const deadline = performance.now() + limit;
    for (let last = before; performance.now() < deadline;) {
      // oxlint-disable-next-line no-await-in-loop
      await delay(300);
      // oxlint-disable-next-line no-await-in-loop
      const current = await this.codeCache();
      if (!isDeepStrictEqual(current, before) && isDeepStrictEqual(current, last)) return;
      last = current;
    }
  }

  /** Returns the sizes of the entries in the code cache for wasm, by file. */
  async codeCache(): Promise<Record<string, number>> {
    const folder = join(this.#folder, 'Default/Code Cache/wasm');
    const names = await readdir(folder).catch(() => []);
    const sizes = names
      .filter((name) => /^[0-9a-f]{16}_0$/.test(name))
      .map(async (name): Promise<[string, number]> => [name, (await stat(join(folder, name))).size]);
    return Object.fromEntries(await Promise.all(sizes));
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
