/**
 * A binary of the native loader that is not what the build wrote beside the artifacts: as if there were none. And
 * without the check: what the dynamic linker makes of it.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { SAMPLE_RESULT } from '../v8/modules.ts';
import { temporaryFolder } from '../v8/support.ts';
import { bulkySample } from './modules.ts';
import { ABI, createProgram, LOAD, NODES, outcomes, type Program, run, writeCopy } from './support.ts';

const folder = temporaryFolder();
const SAMPLE = path.join(folder, 'sample.wasm');
writeFileSync(SAMPLE, bulkySample());

let program: Program;
beforeAll(async () => {
  program = await createProgram(path.join(folder, 'program'), SAMPLE);
});

describe.each(NODES)('in Node $version', ({ version, node }) => {
  const key = `${process.platform}-${process.arch}-${ABI[version]}`;
  let binary: Buffer;
  beforeAll(() => {
    binary = readFileSync(program.addons[key] ?? '');
  });

  it.runIf(process.platform === 'linux')('shows others nothing of its own but how it begins', () => {
    const symbols = execFileSync('nm', ['-D', '--defined-only', '--demangle', program.addons[key] ?? ''], {
      encoding: 'utf8',
    });
    const names = symbols
      .trim()
      .split('\n')
      .map((line) => line.split(' ').slice(2).join(' '));
    const own = names.filter((name) => !/(^| )std::/.test(name));
    expect(own.toSorted()).toEqual(['napi_register_module_v1', 'node_api_module_get_api_version_v1']);
  });

  /** A run with other bytes instead of the binary. */
  function runWith(bytes: Uint8Array, trustAddons = false) {
    const addons = { ...program.addons, [key]: writeCopy(program, bytes, 'addon.node') };
    return run(program, LOAD, { node, addons, trustAddons });
  }

  async function expectWithout(bytes: Uint8Array): Promise<void> {
    const result = await runWith(bytes);
    expect(result, result.stderr).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT] });
    if (version !== '26') {
      expect(outcomes(result)).toEqual(['precompiled read', 'precompiled read']);
      expect(result.warnings).toEqual([]);
    } else {
      const reason = /it needs the native loader: \/\S+addon\.node is damaged or of another build/;
      expect(outcomes(result)).toEqual(['compiled read', 'compiled read']);
      expect(result.warnings).toEqual([expect.stringMatching(reason)]);
    }
  }

  /** The first so many bytes, and zeros up to the size: a copy that ran out of space. */
  const zeroedFrom = (count: number) => Buffer.concat([binary.subarray(0, count)], binary.length);

  it('cut off', async () => {
    const { length } = binary;
    for (const size of [0, 1, 64, 1000, 4096, length >> 1, (length & ~0xfff) - 1, length - 1]) {
      await expectWithout(binary.subarray(0, size));
    }
  });

  it('cut off, without the check: the process dies', async () => {
    for (const size of [1000, 4096, binary.length >> 1]) {
      const { end, printed } = await runWith(binary.subarray(0, size), true);
      expect({ end, printed }).toEqual({ end: 'SIGBUS', printed: [] });
    }
  });

  it('of the right size with other contents', async () => {
    for (const count of [0, 64, 4096, binary.length >> 1, binary.length - 1000]) {
      await expectWithout(zeroedFrom(count));
    }
  });

  it('of the right size with other contents, without the check: the process may die', async () => {
    const { end, printed } = await runWith(zeroedFrom(4096), true);
    expect({ end, printed }).toEqual({ end: expect.stringMatching(/^SIG/), printed: [] });
  });

  it('with more bytes than it had', async () => {
    await expectWithout(Buffer.concat([binary, Buffer.alloc(1)]));
  });

  it('for another Node under the name of this one', async () => {
    for (const [other, file] of Object.entries(program.addons)) {
      if (other !== key) await expectWithout(readFileSync(file));
    }
  });

  it('as it was is used', async () => {
    const result = await runWith(binary);
    expect(result, result.stderr).toMatchObject({ end: 0, warnings: [] });
    expect(outcomes(result)).toEqual(['precompiled mapped', 'precompiled mapped']);
  });
});
