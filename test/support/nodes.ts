/**
 * Other versions of Node, as targets and for running programs: installed from npm into `.nodes/<version>/` in the
 * checkout. In the checkout's node_modules, `.bin/node` would become the node of every npm script.
 */
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa, ExecaError } from 'execa';

/** The versions that the project is tested with, as npm ranges. */
export const NODE_VERSIONS = ['20.19', '22', '24', '26'] as const;

/** A version between them: its V8 (12.9) has the natives, but a layout of native code that the plugin does not know. */
export const UNKNOWN_NODE = '23';

export type NodeVersion = (typeof NODE_VERSIONS)[number] | typeof UNKNOWN_NODE;

const FOLDER = fileURLToPath(new URL('../../.nodes/', import.meta.url));

/** npm packages with node executables, one for each platform. */
const PLATFORM = process.platform === 'win32' ? 'win' : process.platform;
const PACKAGE = `node-${PLATFORM}-${process.arch}`;
const EXECUTABLE = join('node_modules', PACKAGE, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');

const running = new Map<NodeVersion, Promise<string>>();

/**
 * Installs a version of Node if it is missing. Concurrent processes may call it.
 *
 * @returns path of its executable
 * @throws Error if npm cannot install it, or if it does not run on this machine
 */
export function ensureNode(version: NodeVersion): Promise<string> {
  let installed = running.get(version);
  if (!installed) {
    installed = install(version);
    running.set(version, installed);
    // A failure may be temporary, for example without a network.
    installed.catch(() => running.delete(version));
  }
  return installed;
}

async function install(version: NodeVersion): Promise<string> {
  const target = join(FOLDER, version);
  const executable = join(target, EXECUTABLE);
  if (await exists(executable)) return executable;

  await mkdir(FOLDER, { recursive: true });
  const temporary = await mkdtemp(join(FOLDER, `.${version}-`));
  try {
    const request = `${PACKAGE}@${version}`;
    await run(
      'npm',
      ['install', '--prefix', temporary, ...NPM_FLAGS, request],
      `npm cannot install ${request}`,
    );
    await run(join(temporary, EXECUTABLE), ['--version'], `${request} does not run on this machine`);
    await rename(temporary, target).catch(async (cause: unknown) => {
      // Another process has installed it meanwhile.
      if (await exists(executable)) return;
      throw new Error(`${target}: cannot put Node ${version} there. Delete this folder and try again.`, {
        cause,
      });
    });
    return executable;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

const NPM_FLAGS = [
  '--ignore-scripts',
  '--no-save',
  '--no-package-lock',
  '--no-audit',
  '--no-fund',
  '--loglevel=error',
];

async function run(command: string, args: string[], failure: string): Promise<void> {
  try {
    await execa(command, args, { stdin: 'ignore' });
  } catch (cause) {
    const output = cause instanceof ExecaError ? cause.stderr || cause.shortMessage : String(cause);
    throw new Error(`${failure}: ${output}`, { cause });
  }
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
