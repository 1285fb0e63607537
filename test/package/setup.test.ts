/** The tests' setup: installs missing programs, or lists them with the tests that are skipped. */
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ensureTools, requireExecutable, runsTestsIn } from '../support/tools.ts';
import { temporaryFolder } from './support.ts';

const PROGRAMS = [
  'g++',
  'gcc',
  'make',
  'python3',
  'readelf',
  'objdump',
  'nm',
  'unshare',
  'setpriv',
  'script',
];
/** Programs that only tests in browsers need, by their Debian package. */
const BROWSERS = new Map([
  ['chromium', 'chromium'],
  ['firefox-esr', 'firefox-esr'],
  ['webkit2gtk-driver', 'WebKitWebDriver'],
  ['xvfb', 'xvfb-run'],
  ['xauth', 'xauth'],
]);
const ALL = [...PROGRAMS, ...BROWSERS.values()];
const PACKAGES = ['g++', 'make', 'python3', 'binutils', 'util-linux', 'bsdutils', ...BROWSERS.keys()];

const folder = temporaryFolder();
let folders = 0;

/** Returns a folder for PATH with programs of these names. */
function createPath(programs: string[]): string {
  const path = join(folder, String(folders++));
  mkdirSync(path);
  addPrograms(path, programs);
  return path;
}

function addPrograms(path: string, programs: string[]): void {
  for (const program of programs) symlinkSync('/bin/sh', join(path, program));
}

interface Setup {
  isCi?: boolean;
  install?: (packages: string[]) => Promise<void>;
}

/** Returns the messages; the last one may be the error. */
async function setUp(path: string, { isCi = false, install }: Setup = {}): Promise<string[]> {
  const messages: string[] = [];
  await ensureTools((message) => messages.push(message), { path, isCi, install }).catch((error: Error) =>
    messages.push(`Error: ${error.message}`),
  );
  return messages;
}

/** Expects one error, which names a missing program and its package. */
function expectOneError([message = '', ...more]: string[], missing: string): void {
  expect(more).toEqual([]);
  expect(message).toMatch(/^Error: The tests need (\S+), .* install the Debian packages (\S+)\.$/);
  expect(message).toContain(`The tests need ${missing},`);
  expect(PACKAGES.some((name) => message.endsWith(` packages ${name}.`))).toBe(true);
}

describe('if nothing can be installed', () => {
  it('prints nothing when no program is missing', async () => {
    expect(await setUp(createPath(ALL))).toEqual([]);
    expect(await setUp(createPath(ALL), { isCi: true })).toEqual([]);
  });

  it('continues without browsers and lists the skipped tests', async () => {
    expect(await setUp(createPath(PROGRAMS))).toEqual(
      [...BROWSERS.keys()].map((name) =>
        expect.stringMatching(
          new RegExp(
            `^Skipped: the tests in (Chromium|Firefox|WebKit) .*, because ${name} is missing\\. Run `,
          ),
        ),
      ),
    );
  });

  it.each(PROGRAMS)('fails without %s and names its package', async (missing) => {
    const path = createPath(ALL.filter((program) => program !== missing));
    expectOneError(await setUp(path), missing);
  });

  it.each([...BROWSERS.values()])('fails in CI without %s and names its package', async (missing) => {
    const path = createPath(ALL.filter((program) => program !== missing));
    expectOneError(await setUp(path, { isCi: true }), missing);
  });
});

describe('if apt-get can install packages', () => {
  it('installs the missing programs', async () => {
    const path = createPath([]);
    const install = async (packages: string[]) => {
      expect(packages).toEqual(PACKAGES);
      addPrograms(path, ALL);
    };
    expect(await setUp(path, { install })).toEqual([`Installing ${PACKAGES.join(', ')} with apt-get …`]);
  });

  it("fails with apt-get's error", async () => {
    const messages = await setUp(createPath([]), {
      install: () => Promise.reject(new Error('no network')),
    });
    expect(messages.at(-1)).toBe('Error: no network');
  });
});

function decide(executables: (string | undefined)[], isCi: boolean) {
  const messages: string[] = [];
  const runs = runsTestsIn('Chromium', executables, { isCi, report: (text) => messages.push(text) });
  return { runs, messages };
}

describe('tests in a browser', () => {
  it.each([true, false])('run if the browser is installed, in CI: %s', (isCi) => {
    expect(decide(['/usr/bin/chromium'], isCi)).toEqual({ runs: true, messages: [] });
  });

  it('are skipped with a message if it is missing', () => {
    expect(decide(['/usr/bin/driver', undefined], false)).toEqual({
      runs: false,
      messages: [expect.stringMatching(/^Skipped: the tests in Chromium, because it is not installed\./)],
    });
  });

  it('fail in CI if it is missing', () => {
    expect(decide([undefined], true)).toEqual({ runs: true, messages: [] });
    expect(() => requireExecutable('Chromium', undefined)).toThrow(
      /^Chromium is not installed, .* CI is set\./,
    );
  });
});
