/** Small projects in a temporary folder, and programs that run in separate processes. */
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll } from 'vitest';

/** The folder of this checkout. */
export const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));

/** The cache of native code for all tests and runs, because compilation is slow. */
export const SHARED_CACHE = join(CHECKOUT, 'node_modules/.cache/wasm-precompile-tests');

/** Contents by path, relative to the project's folder. */
export type Files = Record<string, string | Uint8Array>;

/** The folder of a test file's projects, in which npm packages resolve as in the checkout. */
const root = await mkdtemp(join(tmpdir(), 'wasm-precompile-test-'));
await symlink(join(CHECKOUT, 'node_modules'), join(root, 'node_modules'), 'dir');
afterAll(() => rm(root, { recursive: true, force: true, maxRetries: 3 }));

let projects = 0;

export class Project {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Returns the absolute path of a file. */
  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  async write(files: Files): Promise<void> {
    for (const [name, content] of Object.entries(files)) {
      const file = this.path(name);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, content);
    }
  }

  read(...names: string[]): Promise<Buffer> {
    return readFile(this.path(...names));
  }

  /** Returns the files below a folder, as sorted paths relative to it. */
  async list(...names: string[]): Promise<string[]> {
    const folder = this.path(...names);
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .toSorted();
  }

  /** Moves a folder to another place in the project and returns its new path. */
  async move(from: string, to: string): Promise<string> {
    await mkdir(dirname(this.path(to)), { recursive: true });
    await rename(this.path(from), this.path(to));
    return this.path(to);
  }
}

/**
 * Creates a project of ES modules.
 *
 * @param folderName name of the project's folder, for tests of special names
 */
export async function createProject(files: Files, folderName = 'project'): Promise<Project> {
  const project = new Project(join(root, String(projects++), folderName));
  await project.write({ 'package.json': '{ "type": "module" }', ...files });
  return project;
}

/** Reads a file of a package in node_modules. */
export function readPackage(path: string): Promise<Buffer> {
  return readFile(join(CHECKOUT, 'node_modules', path));
}

/** One load, as `NODE_DEBUG=wasm-precompile` prints it. */
export interface Load {
  /** Absolute path. */
  file: string;
  how: 'precompiled' | 'compiled';
  /** The engine key, or the reason for compilation. */
  detail: string;
}

export interface Run {
  stdout: string;
  stderr: string;
  exitCode: number | undefined;
  loads: Load[];
}

export interface RunOptions {
  /** Path of the node executable. Default: the node that runs the tests. */
  node?: string;
  /** Default: the root folder, which contains no program's output. */
  cwd?: string;
  /** Arguments for node before the program. */
  nodeArgs?: string[];
  env?: Record<string, string>;
}

/** Runs a program to its end, successful or not. */
export async function run(file: string, options: RunOptions = {}): Promise<Run> {
  const { node = process.execPath, cwd = '/', nodeArgs = [], env } = options;
  const { stdout, stderr, exitCode } = await execa(node, [...nodeArgs, file], {
    cwd,
    reject: false,
    stdin: 'ignore',
    env: { NODE_OPTIONS: undefined, NODE_DEBUG: 'wasm-precompile', ...env },
  });
  return { stdout, stderr, exitCode, loads: parseLoads(stderr) };
}

/**
 * Runs a program that must succeed.
 *
 * @returns the run and the program's output, parsed as JSON
 * @throws Error with its standard error if it fails
 */
export async function runWell(file: string, options?: RunOptions): Promise<Run & { result: unknown }> {
  const ended = await run(file, options);
  if (ended.exitCode !== 0) throw new Error(`${file} ended with ${ended.exitCode}:\n${ended.stderr}`);
  try {
    return { ...ended, result: JSON.parse(ended.stdout) };
  } catch (cause) {
    throw new Error(`${file} did not print JSON:\n${ended.stdout}\n${ended.stderr}`, { cause });
  }
}

function parseLoads(stderr: string): Load[] {
  const lines = stderr.matchAll(
    /^WASM-PRECOMPILE \d+: (?<file>.+) (?<how>precompiled|compiled) \((?<detail>.*)\) \d+ bytes (?<access>mapped|read) [\d.]+ ms$/gm,
  );
  return [...lines].map(({ groups }) => groups as unknown as Load);
}

/** Runs the command `wasm-precompile` of the built package and returns its standard output. */
export async function wasmPrecompile(...args: string[]): Promise<string> {
  return (await execa(process.execPath, [join(CHECKOUT, 'dist/cli/index.js'), ...args])).stdout;
}
