/** One visit of a page with a fresh Chromium process, with or without the cache of an earlier visit. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { findProgram } from '../../../test/support/tools.ts';

export interface Network {
  /** Name in options. */
  id: string;
  name: string;
  /** Bits per second, and milliseconds per request; undefined: no throttling. */
  throttle?: { bits: number; latency: number };
}

export const NETWORKS: readonly Network[] = [
  { id: '10', name: '10 Mbit/s, 40 ms', throttle: { bits: 10e6, latency: 40 } },
  { id: '100', name: '100 Mbit/s, 10 ms', throttle: { bits: 100e6, latency: 10 } },
  { id: 'local', name: 'local' },
];

export interface PageSample {
  /** Milliseconds, from the start of the navigation to the first result. */
  total: number;
  /** Milliseconds in which the main thread was busy. */
  blocked: number;
  /** Result of the module, to check that all builds compute the same. */
  result: string;
}

/** Milliseconds for Chromium to write code to its cache, which a page cannot observe. */
const UNTIL_CACHED = 4000;

export function createProfile(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'chromium-bench-'));
}

export function removeProfile(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

export function visit(profile: string, url: string, network: Pick<Network, 'throttle'>): Promise<PageSample> {
  return inPage(profile, (page, context) => open(page, context, url, network));
}

/** Visits a page until the browser has cached its code. */
export async function prime(profile: string, url: string): Promise<void> {
  await inPage(profile, async (page, context) => {
    await open(page, context, url, {});
    await page.evaluate(() => globalThis.bench?.repeat());
    await page.waitForTimeout(UNTIL_CACHED);
  });
}

async function inPage<Result>(
  profile: string,
  use: (page: Page, context: BrowserContext) => Promise<Result>,
): Promise<Result> {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: findProgram('chromium') ?? 'chromium',
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
  try {
    return await use(await context.newPage(), context);
  } finally {
    await context.close();
  }
}

async function open(
  page: Page,
  context: BrowserContext,
  url: string,
  { throttle }: Pick<Network, 'throttle'>,
): Promise<PageSample> {
  const session = await context.newCDPSession(page);
  await session.send('Performance.enable');
  await session.send('Network.enable');
  if (throttle) {
    const throughput = throttle.bits / 8;
    await session.send('Network.emulateNetworkConditions', {
      offline: false,
      latency: throttle.latency,
      downloadThroughput: throughput,
      uploadThroughput: throughput,
    });
  }
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(url, { waitUntil: 'commit' });
  await page
    .waitForFunction(() => globalThis.bench !== undefined, undefined, { timeout: 60_000, polling: 50 })
    .catch((cause: unknown) => {
      throw new Error(`${url} gave no result: ${errors.join('; ')}`, { cause });
    });
  const { metrics } = await session.send('Performance.getMetrics');
  const busy = metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN;
  const sample = await page.evaluate(() => ({
    total: globalThis.bench?.total ?? Number.NaN,
    result: globalThis.bench?.result ?? '',
  }));
  return { ...sample, blocked: busy * 1000 };
}
