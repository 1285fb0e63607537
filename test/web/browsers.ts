/** The browsers of the tests, with a common interface. */
import { HAS_CHROMIUM, launchChromium, openPage, type PageRun } from '../support/chromium.ts';
import { HAS_FIREFOX, launchFirefox, openInFirefox } from '../support/firefox.ts';
import { HAS_WEBKIT, launchWebKit } from '../support/webkit.ts';

export interface OpenBrowser {
  open(url: string): Promise<PageRun>;
  close(): Promise<void>;
}

export interface BrowserKind {
  name: 'Chromium' | 'Firefox' | 'WebKit';
  /** Whether its tests run: they are skipped if the browser is missing, unless the variable CI is set. */
  runs: boolean;
  launch(): Promise<OpenBrowser>;
}

export const CHROMIUM: BrowserKind = {
  name: 'Chromium',
  runs: HAS_CHROMIUM,
  async launch() {
    const browser = await launchChromium();
    return { open: (url) => openPage(browser, url), close: () => browser.close() };
  },
};

export const FIREFOX: BrowserKind = {
  name: 'Firefox',
  runs: HAS_FIREFOX,
  async launch() {
    const browser = await launchFirefox();
    return { open: (url) => openInFirefox(browser, url), close: () => browser.close() };
  },
};

export const WEBKIT: BrowserKind = { name: 'WebKit', runs: HAS_WEBKIT, launch: launchWebKit };

export const BROWSERS = [CHROMIUM, FIREFOX, WEBKIT];
