/** `wasm-precompile doctor`: checks the artifacts of a folder on this machine, for a node and its flags. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { beforeAll, describe, expect, it } from 'vitest';
import { sample } from '../v8/modules.ts';
import { temporaryFolder } from '../v8/support.ts';
import { ensureNode } from '../support/nodes.ts';
import { cli, compileCommand } from './support.ts';

const folder = temporaryFolder();
const WASM = path.join(folder, 'sample.wasm');
const OUT = path.join(folder, 'out');
writeFileSync(WASM, sample());

beforeAll(async () => {
  await compileCommand([WASM, '-o', OUT], { cwd: folder });
});

const doctor = (...args: string[]) => cli(['doctor', ...args], { cwd: folder });

describe('wasm-precompile doctor', () => {
  it('lists compatible artifacts, with exit code 0', async () => {
    const { exitCode, stdout, stderr } = await doctor('out');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^sample\.elf: precompiled \(node \S+, \S+, v8-\S+\)$/);
    const json = await doctor('out', '--json');
    expect(JSON.parse(json.stdout)).toEqual([
      { file: 'sample.elf', precompiled: true, detail: expect.stringMatching(/^node \S+, \S+, v8-/) },
    ]);
  });

  it('checks the flags of the program', async () => {
    expect(await doctor('out', '--', '--expose-gc', '--stack-size=900')).toMatchObject({ exitCode: 0 });
    const { exitCode, stdout, stderr } = await doctor('out', '--', '--expose-gc', '--single-threaded');
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(
      /^sample\.elf: compiled at startup: V8 flag --single-threaded may change generated code\n {2}Start the program without this flag, or /,
    );
    expect(stderr).toContain('1 of 1 artifacts are not compatible with this machine');
  });

  it.runIf(process.arch === 'x64')('reports CPU features that the machine lacks', async () => {
    const { exitCode, stdout } = await doctor('out', '--', '--no-enable-avx2');
    expect(exitCode).toBe(1);
    expect(stdout).toContain('it was made for x86-64-v3, this CPU lacks AVX2\n  Build for a lower CPU level');
  });

  it('checks another node', async () => {
    const node = await ensureNode('24');
    const { exitCode, stdout } = await doctor('out', '--node', node);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(
      /compiled at startup: node 24\.\S+ \(v8-13\.6\.\S+\) is not among its targets: node \S+ \(v8-\S+\)\n {2}Add this node to the option `targets`: '.*'\./,
    );
  });

  it('checks the other artifacts after a damaged one', async () => {
    const damaged = path.join(folder, 'damaged');
    mkdirSync(path.join(damaged, 'nested'), { recursive: true });
    const bytes = readFileSync(path.join(OUT, 'sample.elf'));
    writeFileSync(path.join(damaged, 'nested/good.elf'), bytes);
    writeFileSync(path.join(damaged, 'bad.elf'), bytes.subarray(0, 5000));
    const { exitCode, stdout } = await doctor('damaged');
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(
      /^bad\.elf: compiled at startup: .*bad\.elf.*\n {2}Build and deploy the artifact again\./,
    );
    expect(stdout).toMatch(/^nested\/good\.elf: precompiled/m);
  });

  it('reports artifacts without native code for lack of the native addon', async () => {
    const node = await ensureNode('26');
    await compileCommand([WASM, '-o', path.join(folder, 'for-26'), '--target', node], { cwd: folder });
    const { exitCode, stdout } = await doctor('for-26', '--node', node);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/it needs the native (?:addon|loader)/);
    expect(stdout).toContain('wasm-precompile addon build');
  });

  it.each([
    [['nowhere'], /nowhere does not exist/],
    [['.', '--json', '--node', process.execPath, '--nonsense'], /unknown option '--nonsense'/],
    [[], /missing required argument/],
    [['out', '--node', '/nowhere/node'], /\/nowhere\/node cannot be started/],
    [['out', '--', '--no-such-flag'], /bad option: --no-such-flag/],
  ])('exits with code 2 for %j', async (args, message) => {
    const { exitCode, stderr } = await doctor(...args);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(message);
  });
});
