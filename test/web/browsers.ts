/** The browsers that pages are opened in, under one interface. */
import { HAS_CHROMIUM, launchChromium, openPage, type PageRun } from '../support/chromium.ts';
import { HAS_FIREFOX, launchFirefox, openInFirefox } from '../support/firefox.ts';
import { HAS_WEBKIT, launchWebKit } from '../support/webkit.ts';

export interface OpenBrowser {
  open(url: string): Promise<PageRun>;
  close(): Promise<void>;
}

export interface BrowserKind {
  name: 'Chromium' | 'Firefox' | 'WebKit';
  /** Without it, its tests are skipped. */
  there: boolean;
  launch(): Promise<OpenBrowser>;
}

export const CHROMIUM: BrowserKind = {
  name: 'Chromium',
  there: HAS_CHROMIUM,
  async launch() {
    const browser = await launchChromium();
    return { open: (url) => openPage(browser, url), close: () => browser.close() };
  },
};

export const FIREFOX: BrowserKind = {
  name: 'Firefox',
  there: HAS_FIREFOX,
  async launch() {
    const browser = await launchFirefox();
    return { open: (url) => openInFirefox(browser, url), close: () => browser.close() };
  },
};

export const WEBKIT: BrowserKind = { name: 'WebKit', there: HAS_WEBKIT, launch: launchWebKit };

export const BROWSERS = [CHROMIUM, FIREFOX, WEBKIT];
