/** Chromium with V8's own word on what it compiles. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { chromium, type Page } from 'playwright-core';
import { findProgram } from './tools.ts';

const TRACED = /^Compiled function .* using (Liftoff|TurboFan)/gm;

export interface TracedPage {
  page: Page;
  /** How many functions V8 has compiled since the last time. */
  compiled(): Promise<number>;
}

/** A profile of a browser: each visit is by a fresh process, and finds what the ones before have left. */
export class TracedProfile {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async create(): Promise<TracedProfile> {
    return new TracedProfile(await mkdtemp(join(tmpdir(), 'chromium-profile-')));
  }

  async visit<Result>(url: string, use: (traced: TracedPage) => Promise<Result>): Promise<Result> {
    // The trace goes to standard output, which playwright keeps for itself.
    const browser = execa(
      findProgram('chromium') ?? 'chromium',
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
        // What the browser writes arrives a little later.
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

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
