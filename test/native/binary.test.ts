/**
 * Binaries of the native addon that differ from what the build wrote beside the artifacts are not loaded. The tests
 * "without the check" show what would happen if they were.
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

  it.runIf(process.platform === 'linux')('exports no symbols of its own but the entry points', () => {
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

  /** Runs with other bytes instead of the binary. */
  function runWith(bytes: Uint8Array, trustAddons = false) {
    const addons = { ...program.addons, [key]: writeCopy(program, bytes, 'addon.node') };
    return run(program, LOAD, { node, addons, trustAddons });
  }

  async function expectUnmapped(bytes: Uint8Array): Promise<void> {
    const result = await runWith(bytes);
    expect(result, result.stderr).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT] });
    if (version !== '26') {
      expect(outcomes(result)).toEqual(['precompiled read', 'precompiled read']);
      expect(result.warnings).toEqual([]);
    } else {
      const reason = /it needs the native addon: \/\S+addon\.node is damaged or of another build/;
      expect(outcomes(result)).toEqual(['compiled read', 'compiled read']);
      expect(result.warnings).toEqual([expect.stringMatching(reason)]);
    }
  }

  /** Returns the first `count` bytes and zeros up to the size, like a copy that ran out of space. */
  const zeroedFrom = (count: number) => Buffer.concat([binary.subarray(0, count)], binary.length);

  it('is not loaded if it is truncated', async () => {
    const { length } = binary;
    for (const size of [0, 1, 64, 1000, 4096, length >> 1, (length & ~0xfff) - 1, length - 1]) {
      await expectUnmapped(binary.subarray(0, size));
    }
  });

  it('kills the process if it is truncated, without the check', async () => {
    for (const size of [1000, 4096, binary.length >> 1]) {
      const { end, printed } = await runWith(binary.subarray(0, size), true);
      expect({ end, printed }).toEqual({ end: 'SIGBUS', printed: [] });
    }
  });

  it('is not loaded with other contents of the same size', async () => {
    for (const count of [0, 64, 4096, binary.length >> 1, binary.length - 1000]) {
      await expectUnmapped(zeroedFrom(count));
    }
  });

  it('may kill the process with other contents of the same size, without the check', async () => {
    const { end, printed } = await runWith(zeroedFrom(4096), true);
    expect({ end, printed }).toEqual({ end: expect.stringMatching(/^SIG/), printed: [] });
  });

  it('is not loaded if bytes were appended', async () => {
    await expectUnmapped(Buffer.concat([binary, Buffer.alloc(1)]));
  });

  it('is not loaded if it is for another Node', async () => {
    for (const [other, file] of Object.entries(program.addons)) {
      if (other !== key) await expectUnmapped(readFileSync(file));
    }
  });

  it('is loaded if it is unchanged', async () => {
    const result = await runWith(binary);
    expect(result, result.stderr).toMatchObject({ end: 0, warnings: [] });
    expect(outcomes(result)).toEqual(['precompiled mapped', 'precompiled mapped']);
  });
});
