/** Runs the built command (dist/) in a separate process. */
import path from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { CACHE, ROOT } from '../v8/support.ts';

export interface Outcome {
  exitCode: number | undefined;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  cwd: string;
}

const COMMAND = path.join(ROOT, 'dist/cli/index.js');

/** `wasm-precompile …`, without the environment variables of the tests. */
export async function cli(args: string[], { cwd }: RunOptions): Promise<Outcome> {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [COMMAND, ...args], {
    cwd,
    reject: false,
    extendEnv: false,
    env: { PATH: process.env['PATH'] ?? '' },
  });
  return { exitCode, stdout, stderr };
}

/** `wasm-precompile compile …` with the cache that all tests share. */
export function compileCommand(args: string[], options: RunOptions): Promise<Outcome> {
  return cli(['compile', ...args, '--cache', CACHE], options);
}
