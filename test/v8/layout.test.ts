import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ArtifactContents, NativeCode } from '../../src/artifact/contents.ts';
import { packArtifact } from '../../src/artifact/pack.ts';
import { findInstructions, type FunctionCounts } from '../../src/v8/layout.ts';
import { readModule } from '../../src/wasm/binary/module.ts';
import type { WasmInterface } from '../../src/wasm/binary/extern-types.ts';
import { INSTRUCTION, disassemble, readelf, run } from '../artifact/tools.ts';
import { ensureNode, NODE_VERSIONS } from '../support/nodes.ts';
import { sample, smallest } from './modules.ts';
import { randomNumbers } from './random.ts';
import { compile, onlyNative, RESVG, SQL_JS, temporaryFolder } from './support.ts';

const folder = temporaryFolder();
const SAMPLE = path.join(folder, 'sample.wasm');
const SMALLEST = path.join(folder, 'smallest.wasm');
writeFileSync(SAMPLE, sample());
writeFileSync(SMALLEST, smallest());

/** Offset of the u64 sum of all code sizes in the header. */
const CODE_SIZE_SUM = { '20.19': 16, '22': 20, '24': 24, '26': 36 };

const FLIPS_OF_SAMPLE = 4000;
const FLIPS_OF_SQL_JS = 200;

describe.each(NODE_VERSIONS)('native code of Node %s', (version) => {
  interface Case {
    contents: ArtifactContents<WasmInterface>;
    native: NativeCode;
    counts: FunctionCounts;
    v8: string;
  }
  const cases = new Map<string, Case>();
  const find = (file: string): Case => {
    const found = cases.get(file);
    if (!found) throw new Error(`${file} was not compiled`);
    return found;
  };
  const parse = (file: string, change: (bytes: Buffer) => Uint8Array = (bytes) => bytes) => {
    const { native, counts, v8 } = find(file);
    return findInstructions(change(Buffer.from(native.bytes)), v8, counts);
  };

  beforeAll(async () => {
    const node = await ensureNode(version);
    for (const file of [SMALLEST, SAMPLE, SQL_JS, RESVG]) {
      const compiled = await compile(file, { targets: [node] });
      const { importedFunctions, functions } = readModule(compiled.contents.wire, file);
      const native = onlyNative(compiled);
      cases.set(file, {
        contents: compiled.contents,
        native,
        counts: { importedFunctions, functions },
        v8: native.engine.slice('v8-'.length),
      });
    }
  });

  it.each([SMALLEST, SAMPLE, SQL_JS, RESVG])('has every declared function: %s', (file) => {
    const { native, counts } = find(file);
    const { importedFunctions, functions } = counts;
    const ranges = parse(file) ?? [];
    expect(ranges).toEqual(native.functions);
    expect(ranges.map(({ index }) => index)).toEqual(
      Array.from({ length: functions }, (_, declared) => importedFunctions + declared),
    );
    const codeSize = ranges.reduce((sum, { size }) => sum + size, 0);
    expect(native.statistics).toEqual({ functions, compiled: functions, codeSize });

    let end = 0;
    for (const { offset, size } of ranges) {
      expect(size).toBeGreaterThan(0);
      expect(offset).toBeGreaterThan(end);
      end = offset + size;
    }
    expect(end).toBeLessThan(native.bytes.length);
  });

  it.each([SMALLEST, SAMPLE, SQL_JS, RESVG])(
    'is disassembled under the names of its functions: %s',
    (file) => {
      const { contents, native } = find(file);
      const artifact = path.join(folder, `${version}.elf`);
      writeFileSync(artifact, packArtifact(contents).bytes);
      readelf(artifact);

      const blocks = disassemble(artifact);
      const names = new Set(
        native.functions.map(({ index }) => contents.functionNames.get(index) ?? `wasm-function[${index}]`),
      );
      const found = [...blocks.keys()].filter((name) => !name.startsWith('v8-'));
      expect(new Set(found)).toEqual(names);
      for (const name of found) expect(blocks.get(name)).toMatch(INSTRUCTION);
      const bad = [...blocks.values()].filter((block) => block.includes('(bad)'));
      expect(bad).toEqual([]);
      // Names may occur twice, so functions are counted by their symbols.
      expect(run('nm', artifact).match(/ t (?!v8-)/g)).toHaveLength(native.functions.length);
    },
  );

  it('shows the instructions of a function and not its jump table', () => {
    const artifact = path.join(folder, `${version}-sample.elf`);
    writeFileSync(artifact, packArtifact(find(SAMPLE).contents).bytes);
    const blocks = disassemble(artifact);
    expect(blocks.get('constant')).toContain('$0x499602d2');
    expect(blocks.get('root')).toContain('sqrtsd');
    expect(blocks.get('choose')).toMatch(/jmp +\*/);
    expect(blocks.get('choose')).not.toMatch(/add +%al,\(%rax\)/);
  });

  it('is unknown if it is truncated', () => {
    const { length } = find(SAMPLE).native.bytes;
    for (let end = 0; end < length; end++) {
      expect(
        parse(SAMPLE, (bytes) => bytes.subarray(0, end)),
        `${end} of ${length} bytes`,
      ).toBeUndefined();
      // A copy, since the buffer of a subarray goes on beyond its end.
      expect(parse(SAMPLE, (bytes) => Uint8Array.from(bytes.subarray(0, end)))).toBeUndefined();
    }
  });

  it('is unknown if bytes follow', () => {
    for (const file of [SAMPLE, SQL_JS]) {
      expect(parse(file, (bytes) => Buffer.concat([bytes, Buffer.alloc(1)]))).toBeUndefined();
      expect(parse(file, (bytes) => Buffer.concat([bytes, Buffer.alloc(4)]))).toBeUndefined();
    }
  });

  it('is unknown if the sum of code sizes in the header differs', () => {
    const at = CODE_SIZE_SUM[version];
    for (let byte = at; byte < at + 8; byte++) {
      expect(
        parse(SAMPLE, (bytes) => {
          bytes.writeUInt8(bytes.readUInt8(byte) ^ 1, byte);
          return bytes;
        }),
        `byte ${byte}`,
      ).toBeUndefined();
    }
  });

  it('is unknown for a module with other functions', () => {
    const { native, counts, v8 } = find(SAMPLE);
    const { importedFunctions, functions } = counts;
    for (const other of [
      { importedFunctions, functions: functions + 1 },
      { importedFunctions, functions: functions - 1 },
      { importedFunctions, functions: 0 },
      { importedFunctions: importedFunctions + 1, functions },
      { importedFunctions: importedFunctions - 1, functions },
      { importedFunctions: 1e6, functions: 1e6 },
    ]) {
      expect(findInstructions(native.bytes, v8, other), JSON.stringify(other)).toBeUndefined();
    }
  });

  it('is unknown for other versions of V8', () => {
    const { native, counts } = find(SAMPLE);
    const versions = [
      '11.3.1',
      '12.4.1',
      '13.6.1',
      '14.6.1',
      '13.60.1',
      '1.3.6',
      '15.0.1',
      '13',
      '',
      'constructor',
    ];
    const known = versions.filter((v8) => findInstructions(native.bytes, v8, counts));
    expect(known).toEqual([{ '20.19': '11.3.1', '22': '12.4.1', '24': '13.6.1', '26': '14.6.1' }[version]]);
  });

  it.each([
    [SAMPLE, FLIPS_OF_SAMPLE],
    [SQL_JS, FLIPS_OF_SQL_JS],
  ])('never gives an impossible range if bytes are changed: %s', (file, flips) => {
    const random = randomNumbers(flips);
    const { native, counts, v8 } = find(file);
    const changed = Buffer.from(native.bytes);
    for (let flip = 0; flip < flips; flip++) {
      const at = random(changed.length);
      const before = changed.readUInt8(at);
      changed.writeUInt8(random(256), at);
      const ranges = findInstructions(changed, v8, counts) ?? [];
      const impossible = ranges.filter(({ offset, size }) => size <= 0 || offset + size > changed.length);
      expect(impossible, `byte ${at}`).toEqual([]);
      // Some changes stay in place, so that damage adds up.
      if (random(50) > 0) changed.writeUInt8(before, at);
      else if (random(10) === 0) changed.set(native.bytes);
    }
  });

  it('gives no ranges for noise', () => {
    const random = randomNumbers(7);
    const { counts, v8 } = find(SAMPLE);
    for (let size = 0; size < 600; size++) {
      const noise = Uint8Array.from({ length: size }, () => [0, 2, 3, 4, 255][random(5)] ?? 0);
      expect(findInstructions(noise, v8, counts)).toBeUndefined();
    }
  });
});

describe('a version of V8 without a known layout', () => {
  it('gives no ranges', () => {
    expect(
      findInstructions(new Uint8Array(1000), '99.9.9-node.1', { importedFunctions: 0, functions: 1 }),
    ).toBe(undefined);
  });
});
