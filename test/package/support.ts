/** The package as npm packs it, installed into empty projects. */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll } from 'vitest';
import { CHECKOUT } from '../support/project.ts';
import { findProgram } from '../support/tools.ts';

/** Programs that npm and node need. */
const TOOLS = ['node', 'npm', 'sh', 'env', 'uname', 'cat', 'rm', 'mkdir', 'ls', 'sed', 'dirname'];

/** Programs that compiling the native addon needs. */
const COMPILERS = [
  'python3',
  'make',
  'cc',
  'gcc',
  'c++',
  'g++',
  'ld',
  'as',
  'ar',
  'touch',
  'cp',
  'ln',
  'printf',
  'echo',
];

/** Creates a folder outside of every project, which is deleted after the tests of a file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'wasm-precompile-package-'));
  chmodSync(folder, 0o755);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Packs the checkout without rebuilding it and returns the path of the tarball. */
export async function pack(folder: string): Promise<string> {
  const { stdout } = await execa(
    'npm',
    ['pack', '--ignore-scripts', '--json', '--pack-destination', folder, '--loglevel=error'],
    { cwd: CHECKOUT },
  );
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  return path.join(folder, filename);
}

/** Returns the paths in a tarball, without their common folder `package`. */
export async function listTarball(tarball: string): Promise<string[]> {
  const { stdout } = await execa('tar', ['-tzf', tarball]);
  return stdout.split('\n').map((name) => name.replace(/^package\//, ''));
}

/** Creates a folder for PATH: without compilers, or with all programs that compiling needs except some. */
export async function toolFolder(
  folder: string,
  { compiler, without = [] }: { compiler: boolean; without?: string[] },
): Promise<string> {
  const tools = mkdtempSync(path.join(folder, 'tools-'));
  for (const tool of compiler ? [...TOOLS, ...COMPILERS] : TOOLS) {
    if (without.includes(tool)) continue;
    const found = await findTool(tool);
    if (found.startsWith('/')) symlinkSync(found, path.join(tools, tool));
  }
  return tools;
}

async function findTool(tool: string): Promise<string> {
  if (tool === 'node') return process.execPath;
  // The executable itself: a version manager's script in PATH needs other programs.
  if (tool === 'python3') return (await execa(tool, ['-c', 'import sys; print(sys.executable)'])).stdout;
  return findProgram(tool) ?? '';
}

/** Returns an environment with only these tools and an empty home folder. */
export function environment(folder: string, tools: string): Record<string, string> {
  const home = path.join(folder, 'home');
  mkdirSync(home, { recursive: true });
  return { PATH: tools, HOME: home };
}

/** Creates a project with these packages, installed without running scripts. */
export async function install(
  folder: string,
  name: string,
  packages: string[],
  env: Record<string, string>,
): Promise<string> {
  const project = path.join(folder, name);
  mkdirSync(project);
  writeFileSync(path.join(project, 'package.json'), '{ "private": true, "type": "module" }');
  await execa(
    'npm',
    ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', ...packages],
    { cwd: project, env, extendEnv: false },
  );
  return project;
}

/** Copies an installed project, for tests that change it. */
export function copyProject(project: string, name: string): string {
  const copy = path.join(path.dirname(project), name);
  cpSync(project, copy, { recursive: true, verbatimSymlinks: true });
  return copy;
}
