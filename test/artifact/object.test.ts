import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ArtifactContents } from '../../src/artifact/contents.ts';
import { packObject } from '../../src/artifact/pack.ts';
import { unpackArtifact } from '../../src/artifact/unpack.ts';
import { ENGINE, handMadeContents, handMadeNative } from './contents.ts';
import { INSTRUCTION, disassemble, readelf, run } from './tools.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'object-'));
afterAll(() => rmSync(directory, { recursive: true }));
const object = path.join(directory, 'module.o');
const program = path.join(directory, 'program');

const C = `
#include <stdio.h>
extern const unsigned char wasm_tiny_module_start[], wasm_tiny_module_end[];
extern const unsigned char native_tiny_module_start[], native_tiny_module_end[];
extern const unsigned char native_tiny_module_v8_14_6_233_17_start[], native_tiny_module_v8_14_6_233_17_end[];

static void print(const char *what, const unsigned char *start, const unsigned char *end) {
  printf("%s %ld %02x %02x %02x\\n", what, (long)(end - start), start[0], start[1], start[2]);
}

int main(void) {
  print("wasm", wasm_tiny_module_start, wasm_tiny_module_end);
  print("first", native_tiny_module_start, native_tiny_module_end);
  print("second", native_tiny_module_v8_14_6_233_17_start, native_tiny_module_v8_14_6_233_17_end);
  return 0;
}
`;

function write(changes: Partial<ArtifactContents> = {}): Uint8Array {
  const second = handMadeNative(ENGINE.replaceAll('13.6', '14.6'), 'v8-14.6.233.17');
  const bytes = Buffer.concat([Uint8Array.of(1, 2, 3), second.bytes.subarray(3), Uint8Array.of(4)]);
  const native = [handMadeNative(), { ...second, bytes }];
  const packed = packObject(handMadeContents({ native, ...changes }));
  writeFileSync(object, packed);
  return packed;
}

describe('packObject', () => {
  it('writes a file that is valid for readelf', () => {
    write();
    const text = readelf(object);
    expect(text).toMatch(/Type: +REL/);
    expect(text).toContain('There are no program headers in this file');
    expect(text).toMatch(/\.note\.GNU-stack +PROGBITS +0000000000000000 \S+ 000000/);
  });

  it.each([
    ['without options', []],
    ['with a build id', ['-Wl,--build-id']],
    ['statically', ['-static']],
    ['without unused sections', ['-Wl,--gc-sections']],
    ['by gold', ['-fuse-ld=gold']],
  ])('links into a C program without a warning: %s', (_, options) => {
    const artifact = unpackArtifact(write());
    writeFileSync(`${program}.c`, C);
    expect(run('gcc', '-Wl,--fatal-warnings', ...options, `${program}.c`, object, '-o', program)).toBe('');
    expect(run(program)).toBe('wasm 8 00 61 73\nfirst 32 ed ed ed\nsecond 33 01 02 03\n');

    const text = readelf(program);
    expect(text).not.toContain(artifact.manifest.buildId);
    expect(text).toMatch(/GNU_STACK .* RW /);
    expect(text).not.toMatch(/OS\/ABI: +<unknown/);
  });

  it('writes symbols that make objdump show code as code and metadata as data', () => {
    write({ native: [handMadeNative()] });
    const blocks = disassemble(object);
    expect([...blocks.keys()]).toEqual([
      'v8-header',
      'wasm-function[3]',
      'v8-metadata[3]',
      'add<i32>',
      'v8-metadata[5]',
    ]);
    expect(blocks.get('add<i32>')).toMatch(/15:.*lea/);
    expect(blocks.get('v8-metadata[3]')).not.toMatch(INSTRUCTION);
  });

  it('makes a C identifier from any name', () => {
    write({ name: '2-gräßliche.namen', native: [handMadeNative()] });
    const globals = [...run('nm', '-g', object).matchAll(/ [A-Z] (\S+)/g)].map(([, name]) => name);
    const names = [
      'native_2_gr__liche_namen',
      'native_2_gr__liche_namen_v8_13_6_233_17',
      'wasm_2_gr__liche_namen',
    ];
    expect(globals.toSorted()).toEqual(names.flatMap((name) => [`${name}_end`, `${name}_start`]));
  });

  it('rejects targets with the same symbols', () => {
    const native = [handMadeNative(ENGINE, 'v8-1.2'), handMadeNative(`${ENGINE}0`, 'v8-1_2')];
    expect(() => write({ native })).toThrow(expect.objectContaining({ code: 'INVALID_ARTIFACT' }));
  });
});
