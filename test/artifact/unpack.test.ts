import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { computeBuildId } from '../../src/artifact/build-id.ts';
import { packArtifact, packObject } from '../../src/artifact/pack.ts';
import { unpackArtifact } from '../../src/artifact/unpack.ts';
import { readElf } from '../../src/elf/read-elf.ts';
import { WasmPrecompileError } from '../../src/common/error.ts';
import { ENGINE, handMadeContents, handMadeNative } from './contents.ts';
import { nativeContents } from './v8-native.ts';

const FORMS = [
  ['artifact', (contents = handMadeContents()) => packArtifact(contents).bytes],
  ['object', (contents = handMadeContents()) => packObject(contents)],
] as const;

/** A copy with changed bytes and a matching build id. */
function signed(bytes: Uint8Array, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  const { buildIdOffset } = unpackArtifact(bytes).manifest;
  change(copy);
  copy.set(computeBuildId(copy, buildIdOffset), buildIdOffset);
  return copy;
}

function expectError(bytes: Uint8Array, code: string, message: RegExp): void {
  expect(() => unpackArtifact(bytes, 'some.elf')).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) }),
  );
}

/** A copy with one text replaced by another of the same length, and a matching build id. */
function replaced(bytes: Uint8Array, from: string, to: string): Buffer {
  expect(to.length).toBe(from.length);
  const at = Buffer.from(bytes).indexOf(from);
  expect(at).toBeGreaterThan(0);
  return signed(bytes, (copy) => copy.write(to, at, 'latin1'));
}

describe.each(FORMS)('unpackArtifact of an %s', (form, pack) => {
  it('returns everything that was packed', () => {
    const contents = handMadeContents();
    const bytes = pack(contents);
    const { manifest, formatVersion, nativeSections, ...artifact } = unpackArtifact(bytes);
    const native = contents.native.map((entry) => ({ ...entry, bytes: Uint8Array.from(entry.bytes) }));
    expect(artifact).toEqual({ ...contents, native, form, compressed: false });
    expect(formatVersion).toBe(1);
    expect(nativeSections).toEqual(['.text.v8-13.6.233.17']);
    expect(manifest.size).toBe(bytes.length);
    if (form === 'artifact') {
      expect(manifest).toEqual(packArtifact(contents).manifest);
    }
  });

  it('returns the startup profile, and the statistics about it', () => {
    const native = handMadeNative();
    const statistics = { ...native.statistics, executed: 2 };
    const profile = 'any text\n日本\n';
    const artifact = unpackArtifact(pack(handMadeContents({ profile, native: [{ ...native, statistics }] })));
    expect(artifact.profile).toBe(profile);
    expect(artifact.native[0]?.statistics).toEqual(statistics);
  });

  it('returns function indices for code in any order', () => {
    const functions = [9, 10, 11, 2, 1, 30, 31].map((index, position) => ({
      index,
      offset: position * 4,
      size: 4,
    }));
    const contents = handMadeContents({
      native: [
        { ...handMadeNative(), functions: functions.toReversed() },
        handMadeNative(`${ENGINE}0`, 'v8-1.2'),
      ],
      functionNames: new Map([
        [2, 'two'],
        [31, 'wasm-function[3]'],
        [40, 'not compiled'],
      ]),
    });
    const artifact = unpackArtifact(pack(contents));
    expect(artifact.native.map((native) => native.functions)).toEqual([
      functions,
      handMadeNative().functions,
    ]);
    expect([...artifact.functionNames]).toEqual([
      [2, 'two'],
      [31, 'wasm-function[3]'],
    ]);
  });

  it.each([
    ['no native code', handMadeContents({ machine: 'none', native: [] })],
    [
      'unknown layout',
      handMadeContents({ machine: 'arm64', native: [{ ...handMadeNative(), functions: [] }] }),
    ],
    ['native code of this Node', nativeContents('node_modules/sql.js/dist/sql-wasm.wasm')],
  ])('returns contents that pack to the same bytes: %s', (_, contents) => {
    const bytes = pack(contents);
    expect(Buffer.compare(pack(unpackArtifact(bytes)), bytes)).toBe(0);
  });

  it('reads a view of a larger buffer', () => {
    const bytes = pack();
    const shifted = Buffer.concat([Buffer.alloc(3), bytes, Buffer.alloc(5)]).subarray(3, 3 + bytes.length);
    expect(unpackArtifact(shifted)).toMatchObject({ name: 'tiny-module', native: [{ engine: ENGINE }] });
  });

  it('rejects a changed byte in each section', () => {
    const bytes = pack();
    for (const { name, offset, size } of readElf(bytes).sections) {
      for (const at of size > 0 ? [offset, offset + size - 1] : []) {
        const copy = Buffer.from(bytes);
        copy.writeUInt8(copy.readUInt8(at) ^ 0x20, at);
        const crc = name === '.wasm' || name.startsWith('.text.');
        const message = crc
          ? new RegExp(`some\\.elf .* section ${name} is damaged: expected the CRC-32`)
          : /some\.elf/;
        expectError(copy, expect.stringMatching(/^INVALID_(ELF|ARTIFACT)$/), message);
      }
    }
  });

  it('rejects every other length', () => {
    const bytes = pack();
    for (let size = 0; size < bytes.length; size += size < 1500 || size > bytes.length - 1500 ? 1 : 4099) {
      expectError(bytes.subarray(0, size), 'INVALID_ELF', /^some\.elf: expected .* found /);
    }
    expectError(Buffer.concat([bytes, Buffer.alloc(1)]), 'INVALID_ARTIFACT', /changed after it was built/);
  });

  it('names the format version that it cannot read', () => {
    const bytes = pack();
    const offset = readElf(bytes).sections.find(({ name }) => name === '.note.wasm')?.offset ?? 0;
    const copy = Buffer.from(bytes);
    copy.writeUInt32LE(2, offset + 20);
    expectError(
      copy,
      'INVALID_ARTIFACT',
      /^some\.elf .* format version is 2, but this version of .* reads 1\. Build it again/,
    );
  });

  it.each([
    ['JSON', '{"producer"', '}"producer"', /description note is not JSON/],
    ['UTF-8', 'tiny-module', 'tiny-modul\xff', /description note is not JSON/],
    ['strings', '"producer"', '"PRODUCER"', /description\.producer is not a string/],
    ['fields', '"crc32"', '"CRC32"', /wire\.crc32 is not a whole number/],
    ['lists', '"native":[', '"NATIVE":[', /description\.native is not a list/],
    ['objects', '"statistics":', '"STATISTICS":', /native\[0\]\.statistics is not an object/],
    ['hashes', '"sha256":"9', '"sha256":"G', /source\.sha256 is "G/],
    ['section names in the description', '"section":".wasm"', '"section":".WASM"', /no section \.WASM/],
    ['engine keys', `"engine":"v8-13.6`, `"version":"v9-9.9`, /engine is not a string/],
    [
      'versions',
      '"version":"v8-13.6',
      '"version":"v8-14.6',
      /is in section \.text\.v8-13\.6.*, not \.text\.v8-14\.6/,
    ],
    [
      'functions',
      '"functions":[3,1,5,1]',
      '"functions":[3,1,5,9]',
      /has 2 function symbols, but its description has 10/,
    ],
    ['function lists', '"functions":[3,1,5,1]', '"functions":[3,2,333]', /has 2 function symbols/],
    ['interfaces', '{"imports":[]', '["imports":[]', /section \.wasm\.interface is not JSON/],
    ['sections', '\0.wasm.interface', '\0.wasm.INTERFACE', /no section \.wasm\.interface/],
    ['owners', 'wasm\0', 'WASM\0', /no note with a format version/],
  ])('checks %s even if the build id is right', (_, from, to, message) => {
    expectError(replaced(pack(), from, to), 'INVALID_ARTIFACT', message);
  });

  it('checks the header and the symbols even if the build id is right', () => {
    const bytes = pack();
    expectError(
      signed(bytes, (copy) => copy.writeUInt8(0, 7)),
      'INVALID_ARTIFACT',
      /EI_OSABI 201, found 0/,
    );
    expectError(
      signed(bytes, (copy) => copy.writeUInt8(2, 16)),
      'INVALID_ARTIFACT',
      /e_type .* found 2/,
    );
    expectError(
      signed(bytes, (copy) => copy.writeUInt8(3, 18)),
      'INVALID_ARTIFACT',
      /e_machine 62, 183, 0, found 3/,
    );
    const symtab = readElf(bytes).sections.find(({ name }) => name === '.symtab')?.offset ?? 0;
    const sizeOfFirstFunction = symtab + 2 * 24 + 16;
    expectError(
      signed(bytes, (copy) => copy.writeUInt32LE(1e6, sizeOfFirstFunction)),
      'INVALID_ARTIFACT',
      /symbol wasm-function\[3\] is outside of section \.text\.v8-13\.6\.233\.17/,
    );
  });

  it('throws nothing else for random changes', () => {
    const bytes = pack();
    // Most of an artifact are the two gaps before its segments, which only the build id covers.
    const interesting = [...bytes.keys()].filter((at) => at < 2500 || at > bytes.length - 2500);
    const random = randomNumbers(20_260);
    const pick = (count: number) => Math.floor(random() * count);
    let accepted = 0;
    for (let round = 0; round < 1500; round += 1) {
      const change = (copy: Buffer) => {
        for (let flips = 1 + pick(4); flips > 0; flips -= 1) {
          const at = interesting[pick(interesting.length)] ?? 0;
          copy.writeUInt8(copy.readUInt8(at) ^ (1 << pick(8)), at);
        }
      };
      const damaged = Buffer.from(bytes);
      change(damaged);
      if (!damaged.equals(bytes)) {
        expect(outcome(damaged)).toMatch(/^INVALID_(ELF|ARTIFACT): ./);
      }
      if (outcome(signed(bytes, change)) === 'accepted') {
        accepted += 1;
      }
    }
    expect(accepted).toBeGreaterThan(0);
  });
});

describe('unpackArtifact', () => {
  it('rejects other files', () => {
    expectError(new Uint8Array(), 'INVALID_ELF', /^some\.elf: expected the ELF magic/);
    expectError(handMadeContents().wire, 'INVALID_ELF', /found "\\u0000asm"/);
    expectError(Buffer.alloc(100_000, 'text'), 'INVALID_ELF', /found "text"/);
    expectError(
      readFileSync('/bin/true'),
      'INVALID_ARTIFACT',
      /^some\.elf .* ELF file without a section \.note\.wasm/,
    );
  });
});

/** Fails for anything but success and the project's own errors. */
function outcome(bytes: Uint8Array): string {
  try {
    unpackArtifact(bytes);
    return 'accepted';
  } catch (error) {
    expect(error).toBeInstanceOf(WasmPrecompileError);
    return error instanceof WasmPrecompileError ? `${error.code}: ${error.message}` : '';
  }
}

/** Numbers from 0 to 1 by a linear congruential generator (Knuth and Lewis): the same ones in every run. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
