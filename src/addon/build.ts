/** Builds the native addon for a node executable, with node-gyp and the machine's C++ compiler. */
import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { execa, ExecaError } from 'execa';
import { messageOf, WasmPrecompileError } from '../common/error.ts';
import { type AddonTarget, addonFile, NATIVE_SOURCES_FOLDER } from './files.ts';

/**
 * Builds in a temporary folder, then moves the complete binary to the place where `findAddon` looks.
 *
 * @param node path of the executable to build for
 * @returns path of the binary
 * @throws WasmPrecompileError `ADDON_BUILD_FAILED` with a message that says what is missing
 */
export async function buildAddon(node: string): Promise<string> {
  const { version, executable, ...target } = await describeNode(node);
  const file = addonFile(target);
  const folder = await mkdtemp(join(tmpdir(), 'wasm-precompile-addon-'));
  try {
    await cp(NATIVE_SOURCES_FOLDER, folder, { recursive: true });
    const headers = findHeaders([node, executable], target.abi);
    const args = ['rebuild', `--target=${version}`, `--arch=${target.arch}`];
    // Without headers, node-gyp downloads them.
    if (headers !== undefined) args.push(`--nodedir=${headers}`);
    await runNodeGyp(folder, args, version);
    await mkdir(dirname(file), { recursive: true });
    const temporary = `${file}.${process.pid}`;
    await cp(join(folder, 'build', 'Release', 'wasm_precompile.node'), temporary);
    await rename(temporary, file);
    return file;
  } catch (error) {
    if (error instanceof WasmPrecompileError) throw error;
    throw buildFailed(messageOf(error), NEEDED, error);
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
    throw buildFailed(`${node} does not answer like a node executable: ${messageOf(error)}`, NEEDED, error);
  }
}

/** Returns the elements of a JSON array as strings; none if the text is not a JSON array. */
function parseStrings(text: string): string[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.map(String) : [];
  } catch {
    return [];
  }
}

/**
 * Returns the folder with `include/node` for an executable. Most installations have it beside `bin`. Otherwise, it is
 * the folder in npm's configuration, if its headers are of the same version.
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
    throw buildFailed('node-gyp was not found. Install it with `npm install --save-dev node-gyp`.', NEEDED);
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
      throw buildFailed(
        `the headers of Node ${version} could not be downloaded.\n${end}`,
        NEEDED_HEADERS,
        error,
      );
    }
    throw buildFailed(end, NEEDED, error);
  }
}

/** Lines that node-gyp prints about itself and its stack, regardless of the failure. */
const BOILERPLATE = /^gyp (info|ERR! (System|command|cwd|node -v|node-gyp -v|not ok|stack +at )|verb)/;

/** Number of lines to show from the end of node-gyp's output, which contains the reason. */
const SHOWN_LINES = 20;

/** The warning of a failed download of headers, which is node-gyp's command `install`. */
const HEADERS_MISSING = /^gyp WARN install got an error/m;

const NEEDED =
  "It needs a C++20 compiler, make and Python 3 (node-gyp's README explains how to install them).";

const NEEDED_HEADERS =
  'Use a node with a folder `include` beside `bin`, as in the archives of nodejs.org, or set the environment variable ' +
  'npm_config_nodedir to a folder with `include/node` of that version.';

/** Variables in which npm passes its configuration to scripts. node-gyp prefers them to its own arguments. */
const OVERRIDDEN_BY_ARGUMENTS = {
  npm_config_nodedir: undefined,
  npm_config_target: undefined,
  npm_config_arch: undefined,
  npm_package_config_node_gyp_nodedir: undefined,
  npm_package_config_node_gyp_target: undefined,
  npm_package_config_node_gyp_arch: undefined,
};

/** Returns the script of node-gyp: that of this project, or the one bundled with npm. */
function findNodeGyp(): string | undefined {
  const npmFolders = [
    // npm and npx set it to …/npm/bin/npm-cli.js.
    process.env['npm_execpath'] && join(dirname(process.env['npm_execpath']), '..'),
    join(dirname(process.execPath), '..', 'lib', 'node_modules', 'npm'),
    join(dirname(process.execPath), 'node_modules', 'npm'),
  ];
  const bases = [import.meta.url, join(process.cwd(), 'package.json')];
  for (const base of bases) {
    try {
      return createRequire(base).resolve('node-gyp/bin/node-gyp.js');
    } catch {
      // Not installed there.
    }
  }
  return npmFolders
    .map((npm) => npm && join(npm, 'node_modules', 'node-gyp', 'bin', 'node-gyp.js'))
    .find((script): script is string => typeof script === 'string' && existsSync(script));
}

/** @param advice a sentence about how to fix it */
function buildFailed(why: string, advice: string, cause?: unknown): WasmPrecompileError {
  return new WasmPrecompileError(
    'ADDON_BUILD_FAILED',
    `The native addon cannot be built: ${why}\n${advice} Without it everything still works: Node 20 to 24 read artifacts instead of mapping them, Node 26 and later compile modules at startup.`,
    { cause },
  );
}
