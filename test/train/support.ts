/** Runs programs with the built `train` (dist/), each in a separate folder. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import type { TrainOptions, TrainResult } from '../../src/train/train.ts';
import { CHECKOUT, createProject, type Files, type Project } from '../support/project.ts';
import { ensureNode, NODE_VERSIONS } from '../support/nodes.ts';
import { wat } from '../support/wat.ts';

/** Executables of the four versions. */
export const NODES = await Promise.all(
  NODE_VERSIONS.map(async (version) => ({ version, node: await ensureNode(version) })),
);

/** Imports the build, because the preload script of the recorder exists only there. */
const { train: trainBuilt } = (await import(path.join(CHECKOUT, 'dist/train/train.js'))) as {
  train: (command: readonly string[], options?: TrainOptions) => Promise<TrainResult>;
};

/** Function indices by name; 0 and 1 are imports. */
export const FUNCTIONS = {
  helper: 2,
  a: 3,
  never: 4,
  b: 5,
  trap: 6,
  escape: 7,
  hot: 8,
  listed: 9,
  indirect: 10,
  nop: 11,
} as const;

/** `a` calls `helper`, `b` would call `never`, `escape` calls an import, `indirect` calls `listed` by a table. */
export const SAMPLE = wat(`
(module $sample
  (import "env" "call" (func $call))
  (import "env" "other" (func $other (result i32)))
  (table (export "table") funcref (elem $listed))
  (func $helper (result i32) i32.const 1)
  (func $a (export "a") (result i32) call $helper)
  (func $never (result i32) i32.const 2)
  (func $b (export "b") (result i32) call $never)
  (func $trap (export "trap") unreachable)
  (func $escape (export "escape") call $call)
  (func $hot (export "hot") (param i32) (result i32)
    loop $next
      local.get 0 i32.const 1 i32.sub local.tee 0
      br_if $next
    end
    local.get 0)
  (func $listed (result i32) i32.const 3)
  (func $indirect (export "indirect") (result i32) i32.const 0 call_indirect (result i32))
  (func $nop (export "nop"))
  (export "again" (func $other))
)`);

/** A module with a start function, which calls an import. 1 = start, 2 = inner, 3 = y, 4 = z. */
export const STARTING = wat(`
(module $starting
  (import "env" "call" (func $call))
  (func $start call $inner)
  (func $inner call $call)
  (func $y (export "y") nop nop nop)
  (func $z (export "z"))
  (start $start)
)`);

/**
 * Declares for scripts: `bytes`, `imports`, `attempt(f)`, and `start()`, which returns the exports of a new
 * instance.
 */
export const COMMON = `
const fs = require('node:fs');
const { join } = require('node:path');
const bytes = fs.readFileSync(join(__dirname, 'sample.wasm'));
const imports = { env: { call() { throw new Error('escaped'); }, other() {} } };
function attempt(f) { try { f(); } catch {} }
function start() { return new WebAssembly.Instance(new WebAssembly.Module(bytes), imports).exports; }
`;

/** Creates a project with the modules above and scripts; `.cjs` scripts begin with `COMMON`. */
export function createProgram(scripts: Files): Promise<Project> {
  const files: Files = { 'sample.wasm': SAMPLE, 'starting.wasm': STARTING };
  for (const [name, text] of Object.entries(scripts)) {
    files[name] = name.endsWith('.cjs') ? `${COMMON}${String(text)}` : text;
  }
  return createProject(files);
}

export interface Trained extends TrainResult {
  /** Output of the program. */
  output: string;
}

/** Runs a command in a project's folder. */
export async function train(
  project: Project,
  command: readonly string[],
  options: TrainOptions = {},
): Promise<Trained> {
  let output = '';
  const result = await trainBuilt(command, {
    cwd: project.folder,
    output: (text) => {
      output += text;
    },
    ...options,
    env: { NODE_OPTIONS: '', ...options.env },
  });
  return { ...result, output };
}

/** Returns the executed functions of each module in ascending order: names for the sample, otherwise indices. */
export function executedBy({ modules }: Pick<TrainResult, 'modules'>): Record<string, (string | number)[]> {
  const known = new Map<number, string>(Object.entries(FUNCTIONS).map(([name, index]) => [index, name]));
  return Object.fromEntries(
    modules.map(({ name, executed }) => [
      name,
      executed.map(({ index }) => (name === 'sample' ? (known.get(index) ?? index) : index)),
    ]),
  );
}

/** The exit of a successful program. */
export const ENDED = { code: 0, signal: undefined, timedOut: false, interrupted: false };

export interface CommandResult {
  exitCode: number | undefined;
  stdout: string;
  stderr: string;
}

/** `wasm-precompile train …` in a project's folder. */
export async function trainCommand(
  project: Project,
  args: string[],
  env: Record<string, string> = {},
): Promise<CommandResult> {
  const { exitCode, stdout, stderr } = await execa(
    process.execPath,
    [path.join(CHECKOUT, 'dist/cli/index.js'), 'train', ...args],
    {
      cwd: project.folder,
      reject: false,
      stdin: 'ignore',
      extendEnv: false,
      env: { PATH: process.env['PATH'] ?? '', ...env },
    },
  );
  return { exitCode, stdout, stderr };
}

/** Returns whether a process runs. A zombie process does not. */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/\) [ZX] [^)]*$/.test(stat);
  } catch {
    return false;
  }
}
