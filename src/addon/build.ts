/** Builds the native loader for a node executable, with node-gyp and the machine's C++ compiler. */
import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { execa, ExecaError } from 'execa';
import { messageOf, WasmPrecompileError } from '../common/error.ts';
import { type AddonTarget, addonFile, NATIVE_SOURCES_FOLDER } from './files.ts';

/**
 * Builds in a temporary folder and puts the result, whole or not at all, where `findAddon` looks.
 *
 * @param node path of the executable to build for
 * @returns path of the binary
 * @throws WasmPrecompileError `ADDON_BUILD_FAILED` that says what is missing
 */
export async function buildAddon(node: string): Promise<string> {
  const { version, executable, ...target } = await describeNode(node);
  const file = addonFile(target);
  const folder = await mkdtemp(join(tmpdir(), 'wasm-precompile-addon-'));
  try {
    await cp(NATIVE_SOURCES_FOLDER, folder, { recursive: true });
    const headers = findHeaders([node, executable], target.abi);
    const args = ['rebuild', `--target=${version}`, `--arch=${target.arch}`];
    // Elsewhere node-gyp downloads them.
    if (headers !== undefined) args.push(`--nodedir=${headers}`);
    await runNodeGyp(folder, args, version);
    await mkdir(dirname(file), { recursive: true });
    const temporary = `${file}.${process.pid}`;
    await cp(join(folder, 'build', 'Release', 'wasm_precompile.node'), temporary);
    await rename(temporary, file);
    return file;
  } catch (error) {
    if (error instanceof WasmPrecompileError) throw error;
    throw failure(messageOf(error), NEEDED, error);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function describeNode(node: string): Promise<AddonTarget & { version: string; executable: string }> {
  const script =
    'const {platform, arch, versions, execPath} = process; console.log(JSON.stringify([versions.node, platform, arch, versions.modules, execPath]))';
  try {
    const { stdout } = await execa(node, ['-e', script], { env: { NODE_OPTIONS: '' } });
    const [version, platform, arch, abi, executable] = parseStrings(stdout);
    if (version && platform && arch && abi && executable) {
      return { version, platform, arch, abi, executable };
    }
    throw new Error(`unexpected answer: ${stdout.slice(0, 100)}`);
  } catch (error) {
    throw failure(`${node} does not answer like a node executable: ${messageOf(error)}`, NEEDED, error);
  }
}

/** The elements of a JSON array; none where it is something else. */
function parseStrings(text: string): string[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.map(String) : [];
  } catch {
    return [];
  }
}

/**
 * The folder that has `include/node` for an executable: most installations have it beside `bin`. Else the one that npm's
 * configuration names, where it is of that version.
 */
function findHeaders(executables: readonly string[], abi: string): string | undefined {
  const installations = executables.flatMap((file) => {
    const real = existsSync(file) ? realpathSync(file) : file;
    return [join(dirname(real), '..'), dirname(real)];
  });
  const configured = process.env['npm_config_nodedir'];
  const folders = configured ? [...installations, resolve(configured)] : installations;
  return folders.find((folder) => {
    const headers = join(folder, 'include', 'node');
    const version = join(headers, 'node_version.h');
    return (
      existsSync(join(headers, 'node_api.h')) &&
      existsSync(version) &&
      new RegExp(`#define NODE_MODULE_VERSION ${abi}\\b`).test(readFileSync(version, 'utf8'))
    );
  });
}

async function runNodeGyp(folder: string, args: string[], version: string): Promise<void> {
  const script = findNodeGyp();
  if (script === undefined) {
    throw failure('node-gyp is not there. Install it: npm install --save-dev node-gyp', NEEDED);
  }
  try {
    await execa(process.execPath, [script, ...args], {
      cwd: folder,
      all: true,
      env: OVERRIDDEN_BY_ARGUMENTS,
    });
  } catch (error) {
    const output = error instanceof ExecaError ? String(error.all ?? error.shortMessage) : messageOf(error);
    const lines = output.split('\n').filter((line) => line.trim() !== '' && !BOILERPLATE.test(line));
    const end = lines.slice(-SHOWN_LINES).join('\n');
    if (HEADERS_MISSING.test(output)) {
      throw failure(`the headers of Node ${version} could not be downloaded.\n${end}`, NEEDED_HEADERS, error);
    }
    throw failure(end, NEEDED, error);
  }
}

/** What node-gyp prints of itself and its stack, whatever went wrong. */
const BOILERPLATE = /^gyp (info|ERR! (System|command|cwd|node -v|node-gyp -v|not ok|stack +at )|verb)/;

/** The last lines of node-gyp's output, where the reason is. */
const SHOWN_LINES = 20;

/** node-gyp downloads headers as its command `install`. */
const HEADERS_MISSING = /^gyp WARN install got an error/m;

const NEEDED = "It needs a C++20 compiler, make and Python 3 (node-gyp's README says how to get them).";

const NEEDED_HEADERS =
  'Give a node that has its folder `include` beside `bin`, as archives of nodejs.org have it, or set the environment ' +
  'variable npm_config_nodedir to a folder with `include/node` of that version.';

/** node-gyp prefers npm's configuration, which npm hands to scripts in these variables, to its own arguments. */
const OVERRIDDEN_BY_ARGUMENTS = {
  npm_config_nodedir: undefined,
  npm_config_target: undefined,
  npm_config_arch: undefined,
  npm_package_config_node_gyp_nodedir: undefined,
  npm_package_config_node_gyp_target: undefined,
  npm_package_config_node_gyp_arch: undefined,
};

/** node-gyp of this project, or the one that npm brings along. */
function findNodeGyp(): string | undefined {
  const npmFolders = [
    // Set by npm and npx: …/npm/bin/npm-cli.js
    process.env['npm_execpath'] && join(dirname(process.env['npm_execpath']), '..'),
    join(dirname(process.execPath), '..', 'lib', 'node_modules', 'npm'),
    join(dirname(process.execPath), 'node_modules', 'npm'),
  ];
  const starts = [import.meta.url, join(process.cwd(), 'package.json')];
  for (const start of starts) {
    try {
      return createRequire(start).resolve('node-gyp/bin/node-gyp.js');
    } catch {
      // Not installed there.
    }
  }
  return npmFolders
    .map((npm) => npm && join(npm, 'node_modules', 'node-gyp', 'bin', 'node-gyp.js'))
    .find((script): script is string => typeof script === 'string' && existsSync(script));
}

/** @param advice what to do about it */
function failure(why: string, advice: string, cause?: unknown): WasmPrecompileError {
  return new WasmPrecompileError(
    'ADDON_BUILD_FAILED',
    `The native loader cannot be built: ${why}\n${advice} Without it everything still works: Node 20 to 24 read artifacts instead of mapping them, Node 26 and later compile modules at start-up.`,
    { cause },
  );
}
