/** A release cannot be packed without the prebuilt binaries of the native addon that the README promises. */
import { cpSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import { CHECKOUT } from '../support/project.ts';
import { environment, temporaryFolder, toolFolder } from './support.ts';

describe('a checkout without a compiler', () => {
  const folder = temporaryFolder();
  const checkout = join(folder, 'checkout');
  /** The environment without a compiler. */
  let env: Record<string, string>;

  beforeAll(async () => {
    env = environment(folder, await toolFolder(folder, { compiler: false }));
    mkdirSync(checkout);
    for (const name of ['package.json', 'tsconfig.json', 'tsdown.config.ts', 'src', 'test/support']) {
      cpSync(join(CHECKOUT, name), join(checkout, name), { recursive: true });
    }
    for (const name of ['node_modules', '.nodes']) symlinkSync(join(CHECKOUT, name), join(checkout, name));
  });

  const npm = (...args: string[]) =>
    execa('npm', [...args, '--loglevel=error'], { cwd: checkout, env, extendEnv: false, reject: false });

  it('builds', async () => {
    const { exitCode, stderr } = await npm('run', 'build');
    expect(exitCode, stderr).toBe(0);
    expect(stderr).toContain('The native addon cannot be built');
    expect(existsSync(join(checkout, 'dist/index.js'))).toBe(true);
  });

  it.each(['pack', 'publish'])('fails to %s, with the reason', async (command) => {
    const { exitCode, stderr } = await npm(command, '--dry-run');
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(
      /The package lacks prebuilt binaries of the native addon: prebuilds\/linux-x64\/node\.abi115\.node \(Node 20\.19\), .* Pack it on Linux x64/,
    );
  });
});
