/**
 * Programs without the native addon. Node 20 to 24 read files and still use native code. Node 26 compiles and warns
 * once.
 */
import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { SAMPLE_RESULT } from '../v8/modules.ts';
import { temporaryFolder } from '../v8/support.ts';
import { bulkySample } from './modules.ts';
import {
  ABI,
  createProgram,
  inWorker,
  LOAD,
  NODES,
  outcomes,
  type Program,
  type Run,
  run,
  writeCopy,
} from './support.ts';

const folder = temporaryFolder();
const SAMPLE = path.join(folder, 'sample.wasm');
writeFileSync(SAMPLE, bulkySample());

/** Node's message. */
const DISABLED = /loading addons is disabled/;

let program: Program;
beforeAll(async () => {
  program = await createProgram(path.join(folder, 'program'), SAMPLE);
});

describe.each(NODES)('in Node $version', ({ version, node }) => {
  const hasNatives = version !== '26';
  const permission = version === '20.19' ? '--experimental-permission' : '--permission';
  const key = `${process.platform}-${process.arch}-${ABI[version]}`;

  /** Runs under the permission model. */
  const rights = (...more: string[]) => ({
    args: [permission, `--allow-fs-read=${program.folder}/`, ...more],
  });

  /** @param reason why Node 26 does not use native code */
  async function expectUnmapped(reason: RegExp, options: Partial<Run>, script = LOAD): Promise<void> {
    const result = await run(program, script, { node, ...options });
    expect(result, result.stderr).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT] });
    if (hasNatives) {
      expect(outcomes(result)).toEqual(['precompiled read', 'precompiled read']);
      expect(result.warnings).toEqual([]);
    } else {
      expect(outcomes(result)).toEqual(['compiled read', 'compiled read']);
      for (const { detail } of result.loads) expect(detail).toMatch(reason);
      expect(result.warnings).toEqual([expect.stringMatching(reason)]);
      expect(result.warnings[0]).toContain(
        `${program.artifact}: precompiled code is not used: it needs the native addon`,
      );
    }
  }

  async function expectMapped(options: Partial<Run>, script = LOAD): Promise<void> {
    const result = await run(program, script, { node, ...options });
    expect(result, result.stderr).toMatchObject({
      end: 0,
      printed: [SAMPLE_RESULT, SAMPLE_RESULT],
      warnings: [],
    });
    expect(outcomes(result)).toEqual(['precompiled mapped', 'precompiled mapped']);
  }

  /** Replaces the binary for this node, with a matching checksum. */
  const replaced = (bytes: Uint8Array) => ({
    addons: { ...program.addons, [key]: writeCopy(program, bytes, 'addon.node') },
    trustAddons: true,
  });

  it('does without if no binary was built for this Node', async () => {
    const { [key]: _, ...others } = program.addons;
    await expectUnmapped(new RegExp(`there is none for ${key}`), { addons: others });
    await expectUnmapped(new RegExp(`there is none for ${key}`), { addons: {} });
  });

  it('does without if the binary was removed from the output', async () => {
    const missing = writeCopy(program, Buffer.alloc(0), 'addon.node');
    rmSync(missing);
    await expectUnmapped(/no such file/, { addons: { ...program.addons, [key]: missing } });
  });

  it('does without if the file is not a binary', async () => {
    await expectUnmapped(/file too short/, replaced(Buffer.alloc(0)));
    await expectUnmapped(/invalid ELF header/, replaced(Buffer.from('<!doctype html>'.repeat(100))));
    await expectUnmapped(/invalid ELF header|too short/, replaced(Buffer.alloc(20_000)));
    await expectUnmapped(/it needs the native addon/, replaced(program.bytes));
  });

  it('does without if the path of the binary is a folder', async () => {
    await expectUnmapped(/illegal operation on a directory/, {
      addons: { ...program.addons, [key]: program.folder },
    });
  });

  it("neither crashes nor computes other results with another ABI's binary", async () => {
    for (const [other, file] of Object.entries(program.addons)) {
      if (other === key) continue;
      const copy = writeCopy(program, Buffer.alloc(0), 'addon.node');
      copyFileSync(file, copy);
      const { end, printed, stderr, warnings } = await run(program, LOAD, {
        node,
        addons: { ...program.addons, [key]: copy },
        trustAddons: true,
      });
      expect({ end, printed }, `${other}: ${stderr}`).toEqual({
        end: 0,
        printed: [SAMPLE_RESULT, SAMPLE_RESULT],
      });
      expect(warnings).toHaveLength(hasNatives ? 0 : 1);
    }
  });

  it('does without under --no-addons', async () => {
    await expectUnmapped(DISABLED, { args: ['--no-addons'] });
    await expectUnmapped(DISABLED, { env: { NODE_OPTIONS: '--no-addons' } });
  });

  it('does without in a worker of a process with --no-addons', async () => {
    await expectUnmapped(DISABLED, { args: ['--no-addons'] }, inWorker(LOAD, '{}'));
  });

  describe('under the permission model', () => {
    it('needs no right other than to read the program', async () => {
      await expectUnmapped(DISABLED, rights());
    });

    it('maps the file with the right to load addons', async () => {
      await expectMapped(rights('--allow-addons'));
    });

    it('behaves the same in a worker', async () => {
      const options = '{ execArgv: [], env: { NODE_DEBUG: "wasm-precompile" } }';
      await expectUnmapped(DISABLED, rights('--allow-worker'), inWorker(LOAD, options));
      await expectMapped(rights('--allow-worker', '--allow-addons'), inWorker(LOAD, options));
    });
  });

  it('throws with fallback: error in Node 26 only', async () => {
    const result = await run(
      program,
      `const attempt = async (load) => {
  try {
    print(use(await load()));
  } catch ({ code, message }) {
    print([code, message.includes('it needs the native addon')]);
  }
};
await attempt(() => create().load());
await attempt(() => create().loadSync());`,
      { node, addons: {}, options: { fallback: 'error' } },
    );
    const outcome = hasNatives ? SAMPLE_RESULT : ['WASM_PRECOMPILE_FALLBACK', true];
    expect(result).toMatchObject({ end: 0, printed: [outcome, outcome] });
  });

  it('prints nothing with fallback: silent', async () => {
    const { end, printed, stderr } = await run(program, LOAD, {
      node,
      addons: {},
      env: { NODE_DEBUG: '' },
      options: { fallback: 'silent' },
    });
    expect({ end, printed, stderr }).toEqual({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT], stderr: '' });
  });
});
