import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ArtifactContents } from '../../src/artifact/contents.ts';
import { packArtifact } from '../../src/artifact/pack.ts';
import { readElf } from '../../src/elf/read-elf.ts';
import { ENGINE, handMadeContents, handMadeNative } from './contents.ts';
import { INSTRUCTION, disassemble, readelf, run } from './tools.ts';
import { nativeContents } from './v8-native.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'artifact-'));
afterAll(() => rmSync(directory, { recursive: true }));
const file = path.join(directory, 'x.elf');

function write(changes: Partial<ArtifactContents> = {}) {
  const packed = packArtifact(handMadeContents(changes));
  writeFileSync(file, packed.bytes);
  return packed;
}

const arm64 = () => write({ machine: 'arm64', native: [{ ...handMadeNative(), functions: [] }] });
const otherEngine = ENGINE.replace('node.53', 'electron.0');
const twoTargets = () =>
  write({ native: [handMadeNative(), handMadeNative(ENGINE.replaceAll('13.6', '14.6'), 'v8-14.6.233.17')] });

describe('packArtifact', () => {
  it.each([
    ['one target', () => write()],
    ['two targets', twoTargets],
    ['no native code', () => write({ machine: 'none', native: [] })],
    ['AArch64', arm64],
    ['wire bytes that end on a page', () => write({ wire: new Uint8Array(65536) })],
  ])('writes a file that is valid for readelf: %s', (_, make) => {
    const { bytes } = make();
    readelf(file);
    for (const { address, offset, addralign, name } of readElf(bytes).sections) {
      expect(address).toBe(offset);
      if (name === '.wasm' || name.startsWith('.text.')) {
        expect(addralign).toBe(65536);
        expect(offset % 65536).toBe(0);
      }
    }
  });

  it('writes the documented sections, flags and machine', () => {
    write();
    const text = readelf(file);
    expect(text).toMatch(/OS\/ABI: +<unknown: c9>/);
    expect(text).toMatch(/Type: +DYN/);
    expect(text).toMatch(/Machine: +Advanced Micro Devices X86-64/);
    const sections = [
      ...text.matchAll(/^ +\[ *\d+\] (\.\S+) +(\S+) +[0-9a-f]{16} \w+ \w+ \w\w +(\w*) +\d+ +\d+ +\d+$/gm),
    ];
    expect(sections.map(([, name, type, flags]) => [name, type, flags])).toEqual([
      ['.note.gnu.build-id', 'NOTE', 'A'],
      ['.note.wasm', 'NOTE', 'A'],
      ['.wasm', 'PROGBITS', 'A'],
      ['.text.v8-13.6.233.17', 'PROGBITS', 'AX'],
      ['.wasm.interface', 'PROGBITS', ''],
      ['.comment', 'PROGBITS', 'MS'],
      ['.symtab', 'SYMTAB', ''],
      ['.strtab', 'STRTAB', ''],
      ['.shstrtab', 'STRTAB', ''],
    ]);
    const loads = [...text.matchAll(/^ +LOAD .* (R\S*) +0x10000$/gm)];
    expect(loads.map(([, flags]) => flags)).toEqual(['R', 'R', 'R']);
    expect(run('readelf', '-p', '.comment', file)).toContain('unplugin-wasm-precompile 0.1.0');
    expect(run('readelf', '-p', '.wasm.interface', file)).toContain('"name":"add"');
  });

  it('writes AArch64 for arm64', () => {
    arm64();
    expect(readelf(file)).toMatch(/Machine: +AArch64/);
  });

  it('returns a manifest with the offsets of all segments', () => {
    const contents = handMadeContents();
    const { bytes, manifest } = packArtifact(contents);
    const slice = ({ offset, size }: { offset: number; size: number }) =>
      Buffer.from(bytes.subarray(offset, offset + size));
    expect(manifest.size).toBe(bytes.length);
    expect(slice(manifest.wire)).toEqual(Buffer.from(contents.wire));
    expect(manifest.wire.crc32).toBe(crc32(contents.wire));
    const native = handMadeNative();
    expect(manifest.native).toHaveLength(1);
    expect(manifest.native[0]).toMatchObject({ engine: ENGINE, crc32: crc32(native.bytes) });
    expect(slice(manifest.native[0] ?? manifest.wire)).toEqual(native.bytes);
    expect(slice({ offset: manifest.buildIdOffset, size: 20 }).toString('hex')).toBe(manifest.buildId);
  });

  it('writes a build id that covers the rest of the file', () => {
    const { bytes, manifest } = write();
    expect(readelf(file)).toContain(`Build ID: ${manifest.buildId}`);
    const zeroed = Uint8Array.from(bytes).fill(0, manifest.buildIdOffset, manifest.buildIdOffset + 20);
    expect(createHash('sha256').update(zeroed).digest('hex').slice(0, 40)).toBe(manifest.buildId);
  });

  it('writes the wire bytes before native code', () => {
    const { manifest } = twoTargets();
    const [first, second] = manifest.native;
    expect(manifest.wire.offset).toBeLessThan(first?.offset ?? 0);
    expect(first?.offset).toBeLessThan(second?.offset ?? 0);
  });

  it('is deterministic', () => {
    expect(Buffer.compare(write().bytes, write().bytes)).toBe(0);
  });

  it('writes symbols that make objdump show code as code and metadata as data', () => {
    const { manifest } = write();
    const blocks = disassemble(file);
    expect([...blocks.keys()]).toEqual([
      'v8-header',
      'wasm-function[3]',
      'v8-metadata[3]',
      'add<i32>',
      'v8-metadata[5]',
    ]);
    expect(blocks.get('wasm-function[3]')).toMatch(/mov +\$0x2a,%eax\n.*ret/);
    expect(blocks.get('add<i32>')).toMatch(/lea +\(%rdi,%rsi,1\),%eax\n.*nop\n.*nop\n.*ret/);
    for (const data of ['v8-header', 'v8-metadata[3]', 'v8-metadata[5]']) {
      expect(blocks.get(data)).toMatch(/ed ed ed ed ed/);
      expect(blocks.get(data)).not.toMatch(INSTRUCTION);
    }
    const address = (manifest.native[0]?.offset ?? 0) + 21;
    expect(blocks.get('add<i32>')).toContain(`${address.toString(16)}:`);
  });

  it('writes one object symbol for native code of unknown layout', () => {
    write({ native: [{ ...handMadeNative(), functions: [] }] });
    expect([...disassemble(file).keys()]).toEqual(['v8-native-code']);
    expect(readelf(file)).toMatch(/ 32 OBJECT +LOCAL +DEFAULT +4 v8-native-code\n/);
  });

  it('strips control characters from names, and keeps long ones', () => {
    const long = 'ü'.repeat(20_000);
    const names = new Map([
      [3, 'a\0b\nc\u0085d\x1b[31m'],
      [5, long],
    ]);
    write({ functionNames: names });
    readelf(file);
    const symbols = run('nm', '--defined-only', file);
    expect(symbols).toContain(' t abcd[31m\n');
    expect(symbols).toContain(` t ${long}\n`);
    write({ functionNames: new Map([[5, '\0\n']]) });
    expect(run('nm', file)).toContain(' t wasm-function[5]\n');
  });

  it('names the section of another build of the same V8 after its full version', () => {
    const flags = ENGINE.replace('823df6f1', '00000001');
    const { manifest } = write({
      native: [ENGINE, otherEngine, flags, flags.replace('node.53', 'node.54')].map((engine) =>
        handMadeNative(engine),
      ),
    });
    expect(manifest.native.map(({ engine }) => engine)).toEqual([
      ENGINE,
      otherEngine,
      flags,
      flags.replace('node.53', 'node.54'),
    ]);
    expect([...readelf(file).matchAll(/\] \.text\.(\S+)/g)].map(([, name]) => name)).toEqual([
      'v8-13.6.233.17',
      'v8-13.6.233.17-electron.0',
      'v8-13.6.233.17-node.53',
      'v8-13.6.233.17-node.54',
    ]);
  });

  it('names a section after the whole engine key if every shorter name is taken', () => {
    const keys = ['00000001', '00000002', '00000003'].map((flags) => ENGINE.replace('823df6f1', flags));
    write({ native: keys.map((engine) => handMadeNative(engine)) });
    expect(readelf(file)).toContain(`.text.${keys[2]}`);
  });

  it.each([
    ['an engine key twice', { native: [handMadeNative(), handMadeNative()] }, 'INVALID_ARTIFACT', /twice/],
    [
      'empty native code',
      { native: [{ ...handMadeNative(), bytes: new Uint8Array() }] },
      'INVALID_ARTIFACT',
      /empty/,
    ],
    ['empty wire bytes', { wire: new Uint8Array() }, 'INVALID_ARTIFACT', /no wire bytes/],
    ['another hash', { sourceSha256: 'abc' }, 'INVALID_ARTIFACT', /64 hexadecimal digits, not "abc"/],
    [
      'a function out of bounds',
      withFunctions([{ index: 3, offset: 30, size: 3 }]),
      'INVALID_NATIVE_CODE',
      /function 3/,
    ],
    [
      'an empty function',
      withFunctions([{ index: 3, offset: 1, size: 0 }]),
      'INVALID_NATIVE_CODE',
      /0 bytes/,
    ],
    [
      'overlapping functions',
      withFunctions([
        { index: 4, offset: 8, size: 8 },
        { index: 3, offset: 5, size: 4 },
      ]),
      'INVALID_NATIVE_CODE',
      /function 4.*offset 8.*ends at 9/,
    ],
  ])('rejects %s', (_, changes, code, message) => {
    expect(() => write(changes)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });
});

describe('packArtifact with native code of this Node for sql.js', () => {
  let contents: ArtifactContents;
  beforeAll(() => {
    contents = nativeContents('node_modules/sql.js/dist/sql-wasm.wasm');
    writeFileSync(file, packArtifact(contents).bytes);
  });

  it('writes a file that readelf, objdump and nm read', () => {
    readelf(file);
    const [native] = contents.native;
    const functions = native?.functions ?? [];
    expect(functions.length).toBeGreaterThan(1900);

    const blocks = disassemble(file);
    expect(blocks.get('the first declared function')).toMatch(/push +%rbp\n/);
    for (const [name, block] of blocks) {
      if (name.startsWith('v8-')) {
        expect(block).not.toMatch(INSTRUCTION);
      } else {
        expect(block).toMatch(/push +%rbp\n/);
      }
    }

    const sorted = [...run('nm', '--size-sort', file).matchAll(/^([0-9a-f]+) t (?!v8-)/gm)];
    const sizes = functions.map(({ size }) => size).toSorted((a, b) => a - b);
    expect(sorted.map(([, size]) => Number.parseInt(size ?? '', 16))).toEqual(sizes);
  });
});

function withFunctions(ranges: { index: number; offset: number; size: number }[]): Partial<ArtifactContents> {
  return { native: [{ ...handMadeNative(), functions: ranges }] };
}
