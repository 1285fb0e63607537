/** Runtime loading works if artifacts are damaged or missing, and in other runtimes. */
import { copyFile, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { unpackArtifact } from '../../src/artifact/unpack.ts';
import { build, type BuildResult, onlyArtifact, type PluginOptions } from '../support/bundlers.ts';
import { ensureNode } from '../support/nodes.ts';
import { createProject, run, runWell } from '../support/project.ts';
import { ensureRuntime } from '../support/runtimes.ts';
import { wat } from '../support/wat.ts';

const FILES = {
  'math.wasm': wat(`(module
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))`),
  'main.js': `
    import { readFileSync } from 'node:fs';
    const bytes = readFileSync(new URL('./math.wasm', import.meta.url));
    const { instance } = await WebAssembly.instantiate(bytes);
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    console.log(JSON.stringify([instance.exports.add(1, 2), exports.add(3, 4)]));
  `,
};

const RESULT = [3, 7];

async function createBuild(plugin: PluginOptions = {}): Promise<BuildResult> {
  return build('rollup', await createProject(FILES), { plugin });
}

/** Returns the plugin's warnings in a program's output. */
const warningsIn = (stderr: string) => stderr.match(/\[WASM_PRECOMPILE_FALLBACK\].*/g) ?? [];

describe('compiles with a warning if the artifact', () => {
  let built: BuildResult;
  let artifact: string;
  beforeEach(async () => {
    built = await createBuild();
    artifact = onlyArtifact(built);
  });

  /** Runs the program, which must compile and warn once. */
  async function expectWarning(text: string): Promise<void> {
    const { result, loads, stderr } = await runWell(join(built.dir, 'main.js'));
    expect(result).toEqual(RESULT);
    expect(loads.filter(({ how }) => how === 'precompiled')).toEqual([]);
    expect(warningsIn(stderr)).toEqual([expect.stringContaining(text)]);
  }

  test('is missing', async () => {
    await rm(artifact);
    await expectWarning('No such file or directory');
  });

  test('is cut off', async () => {
    await writeFile(artifact, (await readFile(artifact)).subarray(0, 100));
    await expectWarning('it is damaged or holds another module');
  });

  test('holds another module', async () => {
    const other = await build(
      'rollup',
      await createProject({ ...FILES, 'math.wasm': wat('(module (func (export "add")))') }),
    );
    await copyFile(onlyArtifact(other), artifact);
    await expectWarning('it is damaged or holds another module');
  });

  test('has damaged native code', async () => {
    const bytes = await readFile(artifact);
    const [code] = unpackArtifact(bytes, artifact).native;
    const start = bytes.indexOf(code?.bytes ?? 'none');
    expect(start).toBeGreaterThan(0);
    const at = start + (code?.bytes.length ?? 0) - 1;
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    await writeFile(artifact, bytes);
    await expectWarning('its checksum is wrong');
  });
});

test('compiles in a Node that is not among the targets', async () => {
  const built = await createBuild();
  const { result, loads, stderr } = await runWell(join(built.dir, 'main.js'), {
    node: await ensureNode('22'),
  });
  expect(result).toEqual(RESULT);
  expect(new Set(loads.map(({ how }) => how))).toEqual(new Set(['compiled']));
  expect(warningsIn(stderr)).toHaveLength(1);
});

test.each([
  ['bun', []],
  ['deno', ['run', '-A']],
] as const)('compiles in %s', async (name, nodeArgs) => {
  const built = await createBuild({ fallback: 'silent' });
  const { result, loads } = await runWell(join(built.dir, 'main.js'), {
    node: await ensureRuntime(name),
    nodeArgs: [...nodeArgs],
  });
  expect(result).toEqual(RESULT);
  expect(new Set(loads.map(({ detail }) => detail))).toEqual(new Set(['this is not Node']));
});

test('throws the same errors as without the plugin if the wasm file is damaged or missing', async () => {
  const built = await createBuild();
  const file = join(built.dir, built.files.find((name) => name.endsWith('.wasm')) ?? '');
  const bytes = await readFile(file);
  bytes.fill(0xff, 8, 20);
  await writeFile(file, bytes);
  const { stderr, exitCode } = await run(join(built.dir, 'main.js'));
  expect(exitCode).toBe(1);
  expect(stderr).toContain('CompileError: WebAssembly.instantiate()');
  await rename(file, `${file}.gone`);
  expect((await run(join(built.dir, 'main.js'))).stderr).toContain('ENOENT');
});

test.each(['silent', 'error'] as const)(
  'applies `fallback: %s` if the artifact is missing',
  async (fallback) => {
    const built = await createBuild({ fallback });
    await rm(onlyArtifact(built));
    const { stdout, stderr, exitCode } = await run(join(built.dir, 'main.js'));
    if (fallback === 'silent') {
      expect([exitCode, JSON.parse(stdout), stderr]).toEqual([0, RESULT, '']);
    } else {
      expect([exitCode, stdout]).toEqual([1, '']);
      expect(stderr).toContain("code: 'WASM_PRECOMPILE_FALLBACK'");
    }
  },
);
