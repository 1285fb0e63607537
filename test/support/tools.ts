/** Programs that the tests start and that npm does not have: found in PATH, on Debian installed with apt-get. */
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';

/** By the Debian package that has them. */
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
  // What xvfb-run needs and only recommends.
  xauth: ['xauth'],
};

/** Packages that only some tests need, which are skipped without: what is left out then. */
const DISPENSABLE: Record<string, string> = {
  chromium:
    'the tests in Chromium (test/bundlers/client.test.ts, a part of test/bundlers/dev.test.ts, most of test/web)',
  'firefox-esr': 'the tests in Firefox (a part of test/web)',
  'webkit2gtk-driver': 'the tests in WebKit (a part of test/web)',
  xvfb: 'the tests in WebKit (a part of test/web)',
  xauth: 'the tests in WebKit (a part of test/web)',
};

export interface Machine {
  /** Folders to look for programs in, as in the variable PATH. */
  path: string;
  /** Installs Debian packages; undefined where that is not possible. */
  install: ((packages: string[]) => Promise<void>) | undefined;
}

/**
 * Installs what is missing, where that is possible.
 *
 * @param tell told when something is going to take a while, and what is left out
 * @throws Error that names the packages to install, where tests that cannot be skipped would fail
 */
export async function ensureTools(
  tell: (message: string) => void,
  { path, install }: Machine = thisMachine(),
): Promise<void> {
  let missing = findMissing(path);
  if (missing.length > 0 && install) {
    tell(`Installing ${missing.join(', ')} with apt-get …`);
    await install(missing);
    missing = findMissing(path);
  }
  const needed = missing.filter((name) => !(name in DISPENSABLE));
  if (needed.length > 0) {
    const programs = needed
      .flatMap((name) => PROGRAMS[name] ?? [])
      .filter((name) => !findProgram(name, path));
    throw new Error(
      `The tests need ${programs.join(', ')}, which root on Debian gets by itself. ` +
        `Install them; Debian's packages are ${needed.join(', ')}.`,
    );
  }
  for (const name of missing) {
    tell(
      `Skipped: ${DISPENSABLE[name]}, since there is no ${name}, which only root on Debian gets by itself.`,
    );
  }
}

function findMissing(path: string): string[] {
  return Object.entries(PROGRAMS)
    .filter(([, programs]) => programs.some((program) => !findProgram(program, path)))
    .map(([name]) => name);
}

/** Path of a program. */
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

/** Whether tests may change users, owners and mounts. */
export const IS_ROOT = process.getuid?.() === 0;

function thisMachine(): Machine {
  return { path: process.env['PATH'] ?? '', install: IS_ROOT && isDebian() ? installWithApt : undefined };
}

async function installWithApt(packages: string[]): Promise<void> {
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  try {
    await execa('apt-get', ['update'], { env });
    await execa('apt-get', ['install', '-y', '--no-install-recommends', ...packages], { env });
  } catch (cause) {
    throw new Error(
      `The tests need ${packages.join(', ')}, and apt-get cannot install it: ${String(cause)}`,
      {
        cause,
      },
    );
  }
}

function isDebian(): boolean {
  try {
    return /^ID(_LIKE)?=.*debian/m.test(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return false;
  }
}
