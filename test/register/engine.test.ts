/** The register hook answers every call of `WebAssembly` as the engine does. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureNode, NODE_VERSIONS } from '../support/nodes.ts';
import { wat } from '../support/wat.ts';
import { writeRegister } from './support.ts';

const PROGRAM = fileURLToPath(new URL('../fixtures/projects/register/answers.js', import.meta.url));

/** A module with an import, so that instances can fail, a name section and a custom section of its own. */
const MODULE = Buffer.concat([
  wat(`(module
    (import "env" "offset" (func $offset (result i32)))
    (memory (export "memory") 1)
    (func (export "add") (param i32 i32) (result i32)
      (i32.add (call $offset) (i32.add (local.get 0) (local.get 1)))))`),
  Uint8Array.of(0, 6, 3, 0x6f, 0x77, 0x6e, 1, 2),
]);

const NODES = await Promise.all(
  NODE_VERSIONS.map(async (version) => ({ version, node: await ensureNode(version) })),
);

let folder: string;
let wasm: string;
let register: Awaited<ReturnType<typeof writeRegister>>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wasm-precompile-recognise-'));
  wasm = join(folder, 'math.wasm');
  await writeFile(wasm, MODULE);
  register = await writeRegister(folder, [wasm], { targets: NODES.map(({ node }) => node) });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function ask(
  node: string,
  args: string[],
): Promise<{ answers: Record<string, unknown>; loads: string[] }> {
  const { stdout, stderr } = await execa(node, [...args, PROGRAM, wasm], {
    env: { NODE_DEBUG: 'wasm-precompile', NODE_OPTIONS: undefined },
  });
  return {
    answers: JSON.parse(stdout) as Record<string, unknown>,
    loads: [...stderr.matchAll(/\.elf (precompiled|compiled) \(/g)].map(([, how = '']) => how),
  };
}

describe.each(NODES)('Node $version', ({ node }) => {
  test.each([
    ['an ES module', () => ['--import', register.esm]],
    ['a CommonJS module', () => ['--require', register.cjs]],
    ['both, one on top of the other', () => ['--require', register.cjs, '--import', register.esm]],
  ])('answers as the engine does, loaded as %s', async (_, args) => {
    const plain = await ask(node, []);
    const hooked = await ask(node, args());
    expect(hooked.answers).toEqual(plain.answers);
    expect(Object.keys(plain.answers).length).toBeGreaterThan(60);
    expect(plain.loads).toEqual([]);
    expect(hooked.loads.length).toBeGreaterThan(0);
    expect(new Set(hooked.loads)).toEqual(new Set(['precompiled']));
  });
});
