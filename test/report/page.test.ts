/** The report page in a real browser: opened from a file, in light and dark themes, on wide and narrow screens. */
import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ReportData } from '../../src/report/report-data.ts';
import { formatBytes } from '../../src/common/format-bytes.ts';
import { writeReport } from '../../src/report/write-report.ts';
import { launchChromium } from '../support/chromium.ts';
import { createProject, type Project } from '../support/project.ts';
import { createBenchResult } from './bench-result.ts';

/** Text that would end the script or create elements if it were parsed as HTML. */
const HOSTILE =
  '</script><script>document.title = "hacked"</script><!--<img src=x onerror="document.title=1">';

const ENGINE = 'v8-13.6.233.17-node.53-linux-x64-00023eff-823df6f1';

const BUILD: ReportData = {
  title: 'WebAssembly in dist',
  machine: 'linux x64',
  date: '2026-11-24',
  command: 'wasm-precompile report dist',
  artifacts: [
    {
      file: 'assets/sql-wasm-BX2218C2.elf',
      name: 'sql-wasm',
      size: 3_800_000,
      wireSize: 688_197,
      native: [
        {
          engine: ENGINE,
          size: 900_000,
          functions: 1968,
          compiled: 524,
          executed: 524,
          codeSize: 700_000,
          largest: [
            ['sqlite3VdbeExec', 90_000],
            [HOSTILE, 60_000],
            ['yy_reduce', 40_000],
            ['wasm-function[17]', 30_000],
            ['small', 100],
          ],
        },
        {
          engine: ENGINE.replace('13.6', '14.6'),
          size: 800_000,
          functions: 1968,
          compiled: 524,
          executed: 524,
          codeSize: 600_000,
          largest: [['sqlite3Select', 80_000]],
        },
      ],
    },
    { file: 'assets/other.elf', name: HOSTILE, size: 300_000, wireSize: 290_000, native: [] },
  ],
  unreadable: [{ file: 'assets/broken.elf', reason: `${HOSTILE} section .wasm is damaged` }],
  startups: [
    {
      module: 'sql-wasm',
      node: '26.10.0',
      mode: 'precompiled',
      steps: [
        { name: 'map', start: 0, end: 2.25 },
        { name: 'check', start: 2.25, end: 2.5 },
        { name: 'load', start: 2.5, end: 5 },
        { name: 'instantiate', start: 6, end: 6.5 },
        { name: 'first call', start: 8, end: 12.34, detail: HOSTILE },
      ],
    },
  ],
  notes: ['other: none of its exported functions was called.'],
};

let browser: Browser;
let project: Project;

beforeAll(async () => {
  browser = await launchChromium();
  project = await createProject({});
  await writeReport(project.path('build.html'), BUILD);
  const bench = createBenchResult();
  const { machine, date, command } = bench;
  await writeReport(project.path('bench.html'), {
    title: 'WebAssembly benchmark',
    machine,
    date,
    command,
    artifacts: [],
    startups: [],
    bench,
  });
});

afterAll(() => browser.close());

interface Visit {
  page: Page;
  errors: string[];
  requested: string[];
}

/** Opens a page from a file, and waits until its charts are drawn. */
async function visit(
  name: string,
  { scheme = 'light', width = 1280 }: { scheme?: 'light' | 'dark'; width?: number } = {},
): Promise<Visit> {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: scheme });
  const errors: string[] = [];
  const requested: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => errors.push(message.text()));
  page.on('request', (request) => requested.push(request.url()));
  await page.goto(pathToFileURL(project.path(name)).href);
  await page.waitForFunction(() =>
    Array.from(document.querySelectorAll('.chart')).every((chart) =>
      chart.querySelector('svg path, svg text'),
    ),
  );
  return { page, errors, requested };
}

/** All text in the charts. */
const drawnText = (page: Page) => page.locator('.chart svg text').allTextContents();

const background = (page: Page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

/** The fill colours in the charts. */
const fills = (page: Page) =>
  page
    .locator('.chart svg path')
    .evaluateAll((paths) => [...new Set(paths.map((path) => path.getAttribute('fill') ?? ''))].toSorted());

describe.each(['build', 'bench'])('the page of a %s', (name) => {
  test.each([
    ['light', 1280],
    ['dark', 1280],
    ['light', 380],
    ['dark', 380],
  ] as const)('is drawn in %s, %d pixels wide, without any request', async (scheme, width) => {
    const { page, errors, requested } = await visit(`${name}.html`, { scheme, width });
    expect(errors).toEqual([]);
    expect(requested).toEqual([pathToFileURL(project.path(`${name}.html`)).href]);
    // The page fits on a narrow screen.
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
    expect(await page.title()).toMatch(/^WebAssembly/);
    await page.close();
  });

  test('is redrawn when the theme switches to dark', async () => {
    const { page, errors } = await visit(`${name}.html`);
    const light = [await background(page), await fills(page)];
    await page.emulateMedia({ colorScheme: 'dark' });
    await expect.poll(() => fills(page)).not.toEqual(light[1]);
    expect(await background(page)).not.toBe(light[0]);
    expect(errors).toEqual([]);
    await page.close();
  });

  test('describes each chart in words, and lists its numbers in tables', async () => {
    const { page } = await visit(`${name}.html`);
    const charts = await page.locator('.chart[role=img]').all();
    expect(charts.length).toBeGreaterThan(1);
    for (const chart of charts) expect((await chart.getAttribute('aria-label'))?.length).toBeGreaterThan(20);
    expect(await page.locator('section').count()).toBe(await page.locator('section:has(table)').count());
    await page.close();
  });

  test('contains the licences of its libraries', async () => {
    const html = await readFile(project.path(`${name}.html`), 'utf8');
    for (const text of [
      'Apache License',
      'The Apache Software Foundation',
      'Baidu',
      'Mike Bostock|Michael Bostock',
    ])
      expect(html).toMatch(new RegExp(text));
  });
});

describe('a build', () => {
  test('shows the contents of its artifacts', async () => {
    const { page } = await visit('build.html');
    const rows = await page.locator('#artifacts tbody tr').allInnerTexts();
    expect(rows.map((row) => row.split('\t'))).toMatchObject([
      [
        'sql-wasm',
        formatBytes(688_197),
        'V8 13.6.233.17-node.53, linux x64',
        formatBytes(900_000),
        '524 / 524 / 1,968',
        'assets/sql-wasm-BX2218C2.elf',
        formatBytes(3_800_000),
      ],
      ['V8 14.6.233.17-node.53, linux x64', formatBytes(800_000), '524 / 524 / 1,968'],
      [HOSTILE, formatBytes(290_000), 'no native code', '–', '–', 'assets/other.elf', formatBytes(300_000)],
      ['All', formatBytes(978_197), '', formatBytes(1_700_000), '', '', formatBytes(4_100_000)],
      ['assets/broken.elf', `${HOSTILE} section .wasm is damaged`],
    ]);
    await page.close();
  });

  test('draws a tile for each large function, and one for all other functions', async () => {
    const { page, errors } = await visit('build.html');
    const drawn = await drawnText(page);
    for (const text of ['sqlite3VdbeExec', 'yy_reduce', '[17]', '519 others']) {
      expect(drawn.filter((each) => each.includes(text))).toHaveLength(1);
    }
    await page.locator('#functions select').selectOption({ index: 1 });
    await expect.poll(() => drawnText(page)).toContain('sqlite3Select');
    expect(await drawnText(page)).not.toContain('sqlite3VdbeExec');
    expect(errors).toEqual([]);
    await page.close();
  });

  test('shows the full name of a function as text', async () => {
    const { page, errors } = await visit('build.html');
    await page.locator('#functions svg text', { hasText: '</scr' }).first().hover();
    await expect.poll(() => page.locator('#functions strong').allTextContents()).toContain(HOSTILE);
    expect(await page.title()).toBe('WebAssembly in dist');
    expect(errors).toEqual([]);
    await page.close();
  });

  test('draws each step of a startup', async () => {
    const { page } = await visit('build.html');
    const drawn = await page.locator('#startups .chart svg text').allTextContents();
    expect(drawn).toEqual(
      expect.arrayContaining(['map', 'check', 'load', 'instantiate', 'first call', '2.3 ms', '0.25 ms']),
    );
    expect(drawn.some((text) => text.startsWith('4.3 ms · </script>'))).toBe(true);
    expect(await page.locator('.notes').innerText()).toBe(BUILD.notes?.[0]);
    await page.close();
  });
});

describe('a benchmark', () => {
  test('draws every module on every Node, and shows the reason for a missing result', async () => {
    const { page } = await visit('bench.html');
    const drawn = await page.locator('#bench .chart svg text').allTextContents();
    for (const node of [20, 22, 24, 26]) {
      expect(drawn.filter((text) => text === `Node ${node}`)).toHaveLength(6);
    }
    expect(drawn.filter((text) => text.startsWith('no result: the process was killed'))).toHaveLength(1);
    // 6 modules, 4 Nodes, 4 modes that are compared with the baseline; one result is missing.
    expect(drawn.filter((text) => /^[\d.]+ ms · [\d.]+×$/.test(text))).toHaveLength(6 * 4 * 4 - 1);
    await page.close();
  });

  test('shows another metric when the reader selects one', async () => {
    const { page, errors } = await visit('bench.html');
    await page.locator('#bench select').selectOption('peak memory');
    const texts = () => page.locator('#bench .chart svg text').allTextContents();
    await expect
      .poll(async () => (await texts()).filter((text) => / MiB · /.test(text)).length)
      .toBe(6 * 4 * 4 - 1);
    await page.locator('#bench summary').click();
    const row = page.locator('#bench tbody tr', { hasText: 'no result' });
    expect(await row.innerText()).toContain('time limit of 60 s <script>alert(1)</script>');
    expect(errors).toEqual([]);
    await page.close();
  });

  test('fits slopes to the growth', async () => {
    const { page } = await visit('bench.html');
    const texts = () => page.locator('#growth .chart svg text').allTextContents();
    const slopes = (await texts()).filter((text) => /^\w+, slope 0\.\d\d$/.test(text));
    expect(slopes.map((text) => text.split(',', 1)[0])).toEqual([
      'baseline',
      'precompiled',
      'unsplit',
      'profile',
      'warm',
    ]);
    await page.locator('#growth select').first().selectOption('file size');
    await expect.poll(texts).toContain('precompiled, slope 1.00');
    await page.close();
  });

  test('shows peers and builds', async () => {
    const { page } = await visit('bench.html');
    const peers = await page.locator('#peers .chart svg text').allTextContents();
    expect(peers).toEqual(
      expect.arrayContaining(['webpack 5.104.1', 'no result: its import object cannot be given']),
    );
    const builds = await page.locator('#builds tbody tr').allInnerTexts();
    expect(builds).toHaveLength(12);
    expect(builds[0]).toMatch(/^sql\.js\tbaseline\t0\.60 s/);
    expect(builds[9]).toMatch(/^esbuild\tbaseline\t0.60 s\t/);
    expect(await page.locator('#bench .notes').innerText()).toContain('Node 23 is missing');
    await page.close();
  });
});

test('a report without data says that there is nothing to show', async () => {
  await writeReport(project.path('empty.html'), {
    ...BUILD,
    artifacts: [],
    unreadable: [],
    startups: [],
    notes: [],
  });
  const page = await browser.newPage();
  await page.goto(pathToFileURL(project.path('empty.html')).href);
  expect(await page.locator('main').innerText()).toContain('There is nothing to show.');
  await page.close();
});
