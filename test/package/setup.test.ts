/** The set-up of the tests: installs the programs that are missing, or says which, and what is left out without. */
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ensureTools } from '../support/tools.ts';
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
/** What only tests in browsers need, by the Debian package that has it. */
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

/** A folder for PATH with programs of these names. */
function createPath(programs: string[]): string {
  const path = join(folder, String(folders++));
  mkdirSync(path);
  addPrograms(path, programs);
  return path;
}

function addPrograms(path: string, programs: string[]): void {
  for (const program of programs) symlinkSync('/bin/sh', join(path, program));
}

/** What is told, at last the error. */
async function setUp(path: string, install?: (packages: string[]) => Promise<void>): Promise<string[]> {
  const told: string[] = [];
  await ensureTools((message) => told.push(message), { path, install }).catch((error: Error) =>
    told.push(`Error: ${error.message}`),
  );
  return told;
}

describe('where nothing can be installed', () => {
  it('it says nothing when everything is there', async () => {
    expect(await setUp(createPath(ALL))).toEqual([]);
  });

  it('it goes on without browsers, and says what is skipped', async () => {
    expect(await setUp(createPath(PROGRAMS))).toEqual(
      [...BROWSERS.keys()].map((name) =>
        expect.stringMatching(
          new RegExp(`^Skipped: the tests in (Chromium|Firefox|WebKit) .*, since there is no ${name},`),
        ),
      ),
    );
  });

  it.each(PROGRAMS)('it fails without %s, and names the package', async (missing) => {
    const [told = '', ...more] = await setUp(createPath(ALL.filter((program) => program !== missing)));
    expect(more).toEqual([]);
    expect(told).toMatch(/^Error: The tests need (\S+), .* Debian's packages are (\S+)\.$/);
    expect(told).toContain(`The tests need ${missing},`);
    expect(PACKAGES.some((name) => told.endsWith(` are ${name}.`))).toBe(true);
  });
});

describe('where apt-get can install', () => {
  it('it installs what is missing', async () => {
    const path = createPath([]);
    const told = await setUp(path, async (packages) => {
      expect(packages).toEqual(PACKAGES);
      addPrograms(path, ALL);
    });
    expect(told).toEqual([`Installing ${PACKAGES.join(', ')} with apt-get …`]);
  });

  it('it fails with the reason when that fails', async () => {
    const told = await setUp(createPath([]), () => Promise.reject(new Error('no network')));
    expect(told.at(-1)).toBe('Error: no network');
  });
});
