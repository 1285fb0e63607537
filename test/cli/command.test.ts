import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../v8/support.ts';
import { cli } from './support.ts';

const run = (...args: string[]) => cli(args, { cwd: ROOT });

describe('wasm-precompile', () => {
  it.each([[['--help']], [['-h']], [['help']]])('lists its commands for %j', async (args) => {
    const { exitCode, stdout, stderr } = await run(...args);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^Usage: wasm-precompile \[options\] \[command\]/);
    expect(stdout).toMatch(/^ {2}compile \[options\] <files\.\.\.>/m);
    expect(stdout).toMatch(/^ {2}inspect \[options\] <file>/m);
  });

  it.each(['compile', 'inspect'])('shows the options of %s', async (command) => {
    const { exitCode, stdout } = await run(command, '--help');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(new RegExp(`^Usage: wasm-precompile ${command} `));
    expect(stdout).toContain('--json');
    expect((await run('help', command)).stdout).toBe(stdout);
  });

  it.each(['--version', '-V'])('prints its version for %s', async (option) => {
    const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
      version: string;
    };
    expect(await run(option)).toEqual({ exitCode: 0, stdout: version, stderr: '' });
  });

  it('lists its commands and fails without one', async () => {
    const { exitCode, stdout, stderr } = await run();
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(/^Usage: wasm-precompile/);
  });

  it.each([
    [['optimise'], /unknown command 'optimise'/],
    [['compil'], /unknown command 'compil'[^]*compile/],
    [['--fast'], /unknown option '--fast'/],
  ])('rejects %j', async (args, message) => {
    const { exitCode, stdout, stderr } = await run(...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).toContain('--help');
  });
});
