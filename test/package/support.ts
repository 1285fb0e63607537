/** The package as npm packs it, installed into projects that have nothing else. */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll } from 'vitest';
import { CHECKOUT } from '../support/project.ts';
import { findProgram } from '../support/tools.ts';

/** What programs need that are no compilers. */
const TOOLS = ['node', 'npm', 'sh', 'env', 'uname', 'cat', 'rm', 'mkdir', 'ls', 'sed', 'dirname'];

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

/** A folder that is gone after the tests of a file, outside of every project. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'wasm-precompile-package-'));
  chmodSync(folder, 0o755);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Packs the checkout without building it anew; gives the path of the tarball. */
export async function pack(folder: string): Promise<string> {
  const { stdout } = await execa(
    'npm',
    ['pack', '--ignore-scripts', '--json', '--pack-destination', folder, '--loglevel=error'],
    { cwd: CHECKOUT },
  );
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  return path.join(folder, filename);
}

/** The paths in a tarball, without the folder `package` that all are in. */
export async function listTarball(tarball: string): Promise<string[]> {
  const { stdout } = await execa('tar', ['-tzf', tarball]);
  return stdout.split('\n').map((name) => name.replace(/^package\//, ''));
}

/** Folders for PATH: with nothing that compiles, and with what compiling needs, but for some. */
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
  // Not a script of a version manager that looks for it.
  if (tool === 'python3') return (await execa(tool, ['-c', 'import sys; print(sys.executable)'])).stdout;
  return findProgram(tool) ?? '';
}

/** The environment of somebody who has nothing but these tools and an empty home. */
export function environment(folder: string, tools: string): Record<string, string> {
  const home = path.join(folder, 'home');
  mkdirSync(home, { recursive: true });
  return { PATH: tools, HOME: home };
}

/** An empty project with the packages that it needs, installed without running any script. */
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

/** A copy of an installed project, which may be changed. */
export function copyProject(project: string, name: string): string {
  const copy = path.join(path.dirname(project), name);
  cpSync(project, copy, { recursive: true, verbatimSymlinks: true });
  return copy;
}
