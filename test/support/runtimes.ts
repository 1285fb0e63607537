/** Bun and Deno, installed from npm beside the node executables in `.nodes`. */
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

/** npm packages that contain an executable and need no install script. */
const RUNTIMES = {
  bun: { package: `@oven/bun-${process.platform}-${process.arch}`, executable: 'bin/bun' },
  deno: { package: `@deno/${process.platform}-${process.arch}-glibc`, executable: 'deno' },
} as const;

export type RuntimeName = keyof typeof RUNTIMES;

const FOLDER = fileURLToPath(new URL('../../.nodes/', import.meta.url));

/**
 * Installs Bun or Deno if it is missing. Concurrent processes may call it.
 *
 * @returns path of its executable
 */
export async function ensureRuntime(name: RuntimeName): Promise<string> {
  const runtime = RUNTIMES[name];
  // The baseline build also runs on older processors.
  const packageName =
    name === 'bun' && process.arch === 'x64' ? `${runtime.package}-baseline` : runtime.package;
  const target = join(FOLDER, name);
  const executable = join(target, 'node_modules', packageName, runtime.executable);
  if (await exists(executable)) return executable;

  await mkdir(FOLDER, { recursive: true });
  const temporary = await mkdtemp(join(FOLDER, `.${name}-`));
  try {
    await execa('npm', [
      'install',
      '--prefix',
      temporary,
      '--ignore-scripts',
      '--no-save',
      '--no-package-lock',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      packageName,
    ]);
    await rename(temporary, target).catch(async (error: unknown) => {
      // Another process has installed it meanwhile.
      if (!(await exists(executable))) throw error;
    });
    return executable;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
