/** Compressed sections, compared with zlib and binutils. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inflateSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { packArtifact, packForBrowsers } from '../../src/artifact/pack.ts';
import { unpackArtifact } from '../../src/artifact/unpack.ts';
import {
  CHDR_SIZE,
  ELFOSABI_NONE,
  EM_NONE,
  ET_DYN,
  SHF_COMPRESSED,
  SHT_PROGBITS,
} from '../../src/elf/constants.ts';
import { compressedRange, compressSection, isCompressed, sectionContents } from '../../src/elf/compressed.ts';
import { readElf } from '../../src/elf/read-elf.ts';
import { writeElf } from '../../src/elf/write-elf.ts';
import { handMadeContents } from '../artifact/contents.ts';
import { readelf, run } from '../artifact/tools.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'compressed-'));
afterAll(() => rmSync(folder, { recursive: true }));

const CONTENTS = Buffer.from('a module, a module, a module, a module\n'.repeat(1000));

/** An ELF file with one compressed section. */
function write(contents = compressSection(CONTENTS, 16)): Uint8Array {
  return writeElf({
    type: ET_DYN,
    machine: EM_NONE,
    osabi: ELFOSABI_NONE,
    sections: [
      {
        name: '.compressed',
        type: SHT_PROGBITS,
        flags: SHF_COMPRESSED,
        addralign: 8,
        entsize: 0,
        placement: 'unloaded',
        contents,
      },
    ],
    symbols: [],
  }).bytes;
}

function find(bytes: Uint8Array, name: string) {
  const section = readElf(bytes, 'x.elf').sections.find((each) => each.name === name);
  if (!section) throw new Error(`there is no section ${name}`);
  return section;
}

describe('a compressed section', () => {
  it('is recognised and inflated by readelf', () => {
    const file = path.join(folder, 'section');
    writeFileSync(file, write());
    expect(readelf(file)).toMatch(/\.compressed +PROGBITS .* C +0 +0 +8\n/);
    expect(run('readelf', '-tW', file)).toMatch(new RegExp(`ZLIB, 0*${CONTENTS.length.toString(16)}, 16`));
    const dumped = run('readelf', '-zp', '.compressed', file);
    expect(dumped.match(/a module, a module/g)?.length).toBeGreaterThan(999);
  });

  it('is inflated by sectionContents, and compressedRange finds its zlib stream', () => {
    const bytes = write();
    const section = find(bytes, '.compressed');
    expect(isCompressed(section)).toBe(true);
    expect(sectionContents(section, 'x.elf')).toEqual(CONTENTS);
    const { offset, size } = compressedRange(section);
    expect(inflateSync(bytes.subarray(offset, offset + size))).toEqual(CONTENTS);
  });

  it.each<[what: string, change: (contents: Uint8Array) => Uint8Array, message: RegExp]>([
    [
      'another compression',
      (c) => c.fill(2, 0, 1),
      /^x\.elf: expected section \.compressed to be compressed by ELFCOMPRESS_ZLIB \(1\) at offset 0x\w+, found ch_type 2\./,
    ],
    [
      'more than the header says',
      (c) => c.fill(1, 8, 10).fill(0, 10, 16),
      /^x\.elf: expected a zlib stream of 257 bytes at offset 0x\w+, found /,
    ],
    [
      'less than the header says',
      (c) => c.fill(1, 10, 11),
      /^x\.elf: expected a zlib stream of \d+ bytes at offset 0x\w+, found \d+ bytes/,
    ],
    [
      'a damaged stream',
      (c) => c.fill(0xff, CHDR_SIZE + 20, CHDR_SIZE + 40),
      /^x\.elf: expected a zlib stream of \d+ bytes at offset 0x\w+, found a stream that zlib rejects/,
    ],
    [
      'an incomplete header',
      (c) => c.subarray(0, 20),
      /^x\.elf: expected \d+ more bytes at offset 0x\w+, found/,
    ],
    ['a missing end', (c) => c.subarray(0, -8), /^x\.elf: expected a zlib stream of \d+ bytes/],
  ])('is rejected with %s', (_, change, message) => {
    const section = find(write(change(compressSection(CONTENTS, 16))), '.compressed');
    expect(() => sectionContents(section, 'x.elf')).toThrow(
      expect.objectContaining({ code: 'INVALID_ELF', message: expect.stringMatching(message) }),
    );
  });
});

describe.each([true, false])('an artifact for browsers, compressed: %s', (compress) => {
  const wire = Buffer.concat([handMadeContents().wire, CONTENTS]);
  const {
    machine: _machine,
    native: _native,
    ...contents
  } = handMadeContents({ wire, functionNames: new Map() });
  const { bytes, wire: range } = packForBrowsers(contents, compress);

  it('is valid for readelf, and unpackArtifact reads it', () => {
    const file = path.join(folder, `artifact-${compress}`);
    writeFileSync(file, bytes);
    expect(readelf(file)).toMatch(
      compress ? /\.wasm +PROGBITS .* C +0 +0 +8\n/ : /\.wasm +PROGBITS .* A +0 +0 65536\n/,
    );
    const { wire: unpacked, ...artifact } = unpackArtifact(bytes);
    expect(Buffer.compare(unpacked, wire)).toBe(0);
    const { wire: _wire, ...rest } = contents;
    expect(artifact).toMatchObject({
      ...rest,
      machine: 'none',
      native: [],
      compressed: compress,
      manifest: { size: bytes.length, wire: range },
    });
  });

  it('has the module, or a zlib stream of it, in the returned range', () => {
    const found = bytes.subarray(range.offset, range.offset + range.size);
    expect(Buffer.compare(compress ? inflateSync(found) : found, wire)).toBe(0);
    expect(bytes.length < wire.length).toBe(compress);
  });

  it('has at most one page before the module', () => {
    expect(range.offset).toBeLessThanOrEqual(compress ? 1024 : 65536);
  });

  it('is rejected if a byte changes', () => {
    const changed = Buffer.from(bytes);
    const last = range.offset + range.size - 1;
    changed.writeUInt8(changed.readUInt8(last) ^ 1, last);
    expect(() => unpackArtifact(changed)).toThrow(/zlib rejects|section \.wasm is damaged/);
  });

  it('has the same bytes each time', () => {
    expect(Buffer.compare(packForBrowsers(contents, compress).bytes, bytes)).toBe(0);
  });
});

it('packArtifact never compresses', () => {
  const { bytes } = packArtifact(handMadeContents());
  expect(unpackArtifact(bytes).compressed).toBe(false);
});
