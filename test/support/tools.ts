/** Programs that the tests start and that npm does not provide: found in PATH, installed with apt-get on Debian. */
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';

/** Programs by the Debian package that contains them. */
const PROGRAMS: Record<string, string[]> = {
  'g++': ['g++', 'gcc'],
  make: ['make'],
  python3: ['python3'],
  binutils: ['readelf', 'objdump', 'nm'],
  'util-linux': ['unshare', 'setpriv'],
  bsdutils: ['script'],
  chromium: ['chromium'],
  'firefox-esr': ['firefox-esr'],
  'webkit2gtk-driver': ['WebKitWebDriver'],
  xvfb: ['xvfb-run'],
  // xvfb-run needs it, and its package only recommends it.
  xauth: ['xauth'],
};

/** Packages without which some tests are skipped, unless the variable CI is set: these tests. */
const OPTIONAL: Record<string, string> = {
  chromium:
    'the tests in Chromium (test/bundlers/client.test.ts, a part of test/bundlers/dev.test.ts, most of test/web)',
  'firefox-esr': 'the tests in Firefox (a part of test/web)',
  'webkit2gtk-driver': 'the tests in WebKit (a part of test/web)',
  xvfb: 'the tests in WebKit (a part of test/web)',
  xauth: 'the tests in WebKit (a part of test/web)',
};

export interface Machine {
  /** Folders to look for programs in, in the format of the variable PATH. */
  path: string;
  /** Whether the variable CI is set: there no test may be skipped because a program is missing. */
  isCi: boolean;
  /** Installs Debian packages; undefined if that is not possible. */
  install: ((packages: string[]) => Promise<void>) | undefined;
}

/**
 * Installs missing programs if that is possible.
 *
 * @param report receives a message before an installation, and one for each group of skipped tests
 * @throws Error with the packages to install, if tests would fail without them
 */
export async function ensureTools(
  report: (message: string) => void,
  { path, isCi, install }: Machine = thisMachine(),
): Promise<void> {
  let missing = findMissing(path);
  if (missing.length > 0 && install) {
    report(`Installing ${missing.join(', ')} with apt-get …`);
    await install(missing);
    missing = findMissing(path);
  }
  const needed = missing.filter((name) => isCi || !(name in OPTIONAL));
  if (needed.length > 0) {
    const programs = needed
      .flatMap((name) => PROGRAMS[name] ?? [])
      .filter((name) => !findProgram(name, path));
    throw new Error(
      `The tests need ${programs.join(', ')}, which this machine lacks. ` +
        `Run \`npm run setup\` as root on Debian, or install the Debian packages ${needed.join(', ')}.`,
    );
  }
  for (const name of missing) {
    report(
      `Skipped: ${OPTIONAL[name]}, because ${name} is missing. ` +
        'Run `npm run setup` as root on Debian, or install that Debian package.',
    );
  }
}

function findMissing(path: string): string[] {
  return Object.entries(PROGRAMS)
    .filter(([, programs]) => programs.some((program) => !findProgram(program, path)))
    .map(([name]) => name);
}

/** Returns the path of a program. */
export function findProgram(name: string, path: string = process.env['PATH'] ?? ''): string | undefined {
  return path
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/**
 * Returns whether the tests in a browser run. If the variable CI is set, they always run, and fail without the browser;
 * elsewhere they are skipped with a message.
 */
export function runsTestsIn(
  browser: string,
  executables: readonly (string | undefined)[],
  { isCi, report }: { isCi: boolean; report: (message: string) => void } = {
    isCi: IS_CI,
    report: console.warn,
  },
): boolean {
  if (isCi || executables.every((file) => file !== undefined)) return true;
  report(
    `Skipped: the tests in ${browser}, because it is not installed. \`npm run setup\` says how to install it.`,
  );
  return false;
}

/** @throws Error if the browser is not installed */
export function requireExecutable(browser: string, executable: string | undefined): string {
  if (executable !== undefined) return executable;
  throw new Error(
    `${browser} is not installed, and no test may be skipped for that while the variable CI is set. ` +
      '`npm run setup` installs it as root on Debian.',
  );
}

/** Whether tests may change users, owners and mounts. */
export const IS_ROOT = process.getuid?.() === 0;

const IS_CI = Boolean(process.env['CI']);

function thisMachine(): Machine {
  return {
    path: process.env['PATH'] ?? '',
    isCi: IS_CI,
    install: IS_ROOT && isDebian() ? installWithApt : undefined,
  };
}

async function installWithApt(packages: string[]): Promise<void> {
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  try {
    await execa('apt-get', ['update'], { env });
    await execa('apt-get', ['install', '-y', '--no-install-recommends', ...packages], { env });
  } catch (cause) {
    throw new Error(`The tests need ${packages.join(', ')}, which apt-get cannot install: ${String(cause)}`, {
      cause,
    });
  }
}

function isDebian(): boolean {
  try {
    return /^ID(_LIKE)?=.*debian/m.test(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return false;
  }
}
