/**
 * Without the native loader: up to Node 24 files are read and native code is used all the same; Node 26 compiles, and
 * says why once.
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

/** Node's words. */
const DISABLED = /loading addons is disabled/;

let program: Program;
beforeAll(async () => {
  program = await createProgram(path.join(folder, 'program'), SAMPLE);
});

describe.each(NODES)('in Node $version', ({ version, node }) => {
  const hasNatives = version !== '26';
  const permission = version === '20.19' ? '--experimental-permission' : '--permission';
  const key = `${process.platform}-${process.arch}-${ABI[version]}`;

  /** Under the permission model. */
  const rights = (...more: string[]) => ({
    args: [permission, `--allow-fs-read=${program.folder}/`, ...more],
  });

  /** @param reason why Node 26 does without native code */
  async function expectWithout(reason: RegExp, options: Partial<Run>, script = LOAD): Promise<void> {
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
        `${program.artifact}: native code is not used: it needs the native loader`,
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

  /** The program's binaries, that of this node replaced and taken for the build's own. */
  const replaced = (bytes: Uint8Array) => ({
    addons: { ...program.addons, [key]: writeCopy(program, bytes, 'addon.node') },
    trustAddons: true,
  });

  it('no binary for it was built', async () => {
    const { [key]: _, ...others } = program.addons;
    await expectWithout(new RegExp(`there is none for ${key}`), { addons: others });
    await expectWithout(new RegExp(`there is none for ${key}`), { addons: {} });
  });

  it('the binary was removed from the output', async () => {
    const missing = writeCopy(program, Buffer.alloc(0), 'addon.node');
    rmSync(missing);
    await expectWithout(/no such file/, { addons: { ...program.addons, [key]: missing } });
  });

  it('the binary is not one', async () => {
    await expectWithout(/file too short/, replaced(Buffer.alloc(0)));
    await expectWithout(/invalid ELF header/, replaced(Buffer.from('<!doctype html>'.repeat(100))));
    await expectWithout(/invalid ELF header|too short/, replaced(Buffer.alloc(20_000)));
    await expectWithout(/it needs the native loader/, replaced(program.bytes));
  });

  it('the binary is a folder', async () => {
    await expectWithout(/illegal operation on a directory/, {
      addons: { ...program.addons, [key]: program.folder },
    });
  });

  it("the binary is another ABI's: never a crash, never another result", async () => {
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

  it('--no-addons', async () => {
    await expectWithout(DISABLED, { args: ['--no-addons'] });
    await expectWithout(DISABLED, { env: { NODE_OPTIONS: '--no-addons' } });
  });

  it('a worker of a process with --no-addons', async () => {
    await expectWithout(DISABLED, { args: ['--no-addons'] }, inWorker(LOAD, '{}'));
  });

  describe('under the permission model', () => {
    it('the right to read the program is enough', async () => {
      await expectWithout(DISABLED, rights());
    });

    it('with the right to load addons it is mapped', async () => {
      await expectMapped(rights('--allow-addons'));
    });

    it('in a worker, too', async () => {
      const options = '{ execArgv: [], env: { NODE_DEBUG: "wasm-precompile" } }';
      await expectWithout(DISABLED, rights('--allow-worker'), inWorker(LOAD, options));
      await expectMapped(rights('--allow-worker', '--allow-addons'), inWorker(LOAD, options));
    });
  });

  it('with fallback: error, only Node 26 has something to complain of', async () => {
    const result = await run(
      program,
      `const attempt = async (load) => {
  try {
    print(use(await load()));
  } catch ({ code, message }) {
    print([code, message.includes('it needs the native loader')]);
  }
};
await attempt(() => create().load());
await attempt(() => create().loadSync());`,
      { node, addons: {}, options: { fallback: 'error' } },
    );
    const outcome = hasNatives ? SAMPLE_RESULT : ['WASM_PRECOMPILE_FALLBACK', true];
    expect(result).toMatchObject({ end: 0, printed: [outcome, outcome] });
  });

  it('with fallback: silent nobody complains', async () => {
    const { end, printed, stderr } = await run(program, LOAD, {
      node,
      addons: {},
      env: { NODE_DEBUG: '' },
      options: { fallback: 'silent' },
    });
    expect({ end, printed, stderr }).toEqual({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT], stderr: '' });
  });
});
