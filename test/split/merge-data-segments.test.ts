/** Which data segments are merged in the primary, and which stay as they are. */
import { describe, expect, it } from 'vitest';
import { reassemble } from '../../src/runtime/shared/reassembly-plan.ts';
import { Cursor } from '../../src/wasm/binary/cursor.ts';
import { readModule } from '../../src/wasm/binary/module.ts';
import { type Section, SectionId } from '../../src/wasm/binary/sections.ts';
import { splitModule, type SplitModule } from '../../src/wasm/split/split-module.ts';
import { moduleOf, readPackage, section } from '../wasm/support.ts';
import { link, splitText, type SplitText } from './support.ts';

const MEMORY = '(memory (export "memory") 1)';

/** A module that can be split, with additional fields. */
const textOf = (...fields: string[]) =>
  `(module ${fields.join('\n')} (func $hot (export "hot")) (func $cold (export "cold")))`;

const splitFields = (...fields: string[]) => splitText(textOf(...fields), ['hot']);

/** Active segments, by address. */
const segments = (...all: [address: number, content: string][]) =>
  all.map(([address, content]) => `(data (i32.const ${address}) "${content}")`).join('\n');

const sectionOf = (wire: Uint8Array, id: SectionId) =>
  readModule(wire).sections.find((each) => each.id === id);

function contentOf(wire: Uint8Array, id: SectionId): Buffer {
  const { offset, size } = sectionOf(wire, id) ?? { offset: 0, size: 0 };
  return Buffer.from(wire.subarray(offset, offset + size));
}

const countOf = (wire: Uint8Array) => {
  const content = contentOf(wire, SectionId.Data);
  return new Cursor(content, 0, content.length, 'data section').u32('a count');
};

const primaryOf = ({ modules }: Pick<SplitModule, 'modules'>) => new Uint8Array(modules[0] ?? []);

/** The ids of the subsections of the name section. */
function nameSubsections(wire: Uint8Array): number[] {
  const { offset = 0, size = 0 } =
    readModule(wire).sections.find(({ id, name }: Section) => id === SectionId.Custom && name === 'name') ??
    {};
  const cursor = new Cursor(wire, offset, offset + size, 'name section');
  cursor.name('the name of a custom section');
  const ids: number[] = [];
  while (cursor.left > 0) {
    ids.push(cursor.u8('an id'));
    cursor.skip(cursor.u32('a size'), 'a subsection');
  }
  return ids;
}

const memoryOf = ({ exports }: WebAssembly.Instance) =>
  Buffer.from((exports['memory'] as WebAssembly.Memory).buffer);

/** Type sections: a function; a function and a mutable array of bytes. */
const FUNCTION = section(1, 1, 0x60, 0, 0);
const FUNCTION_AND_ARRAY = section(1, 2, 0x60, 0, 0, 0x5e, 0x78, 1);
/** The body of a function that does nothing. */
const NOTHING = [0, 0x0b];

/** Splits a module with a data count section and two segments, the first one at 0. */
function splitCounted(types: number[], body: number[], address: number): SplitText {
  const original = moduleOf(
    types,
    section(3, 2, 0, 0),
    section(5, 1, 0, 1),
    section(12, 2),
    section(10, 2, body.length, ...body, NOTHING.length, ...NOTHING),
    section(11, 2, 0, 0x41, 0, 0x0b, 1, 97, 0, 0x41, address, 0x0b, 1, 98),
  );
  return splitWire(original, [0]);
}

function splitWire(wire: Uint8Array, hot: readonly number[]): SplitText {
  const original = new Uint8Array(wire);
  const split = splitModule(original, new Set(hot), { tailCalls: true });
  if ('unsplitReason' in split) throw new Error(split.unsplitReason);
  return { original, ...split };
}

/** Creates an instance that puts a function into an imported table. Returns the outcome and the function's result. */
async function useTable(create: (imports: WebAssembly.Imports) => Promise<WebAssembly.Instance>) {
  const table = new WebAssembly.Table({ element: 'anyfunc', initial: 1 });
  const outcome = await create({ host: { table } }).then(
    () => 'it works',
    (error: unknown) => String(error),
  );
  return { outcome, seen: (table.get(0) as () => unknown)() };
}

/** Expects that the original module and its split have the same memory contents. */
async function expectSameMemory(split: SplitText, makeImports: () => WebAssembly.Imports = () => ({})) {
  const original = await WebAssembly.instantiate(new WebAssembly.Module(split.original), makeImports());
  const linked = await link(split).create(makeImports());
  expect(Buffer.compare(memoryOf(linked), memoryOf(original))).toBe(0);
  return memoryOf(original);
}

const expectReassembled = (split: SplitText) =>
  expect(Buffer.compare(reassemble(split.modules, split.plan), split.original)).toBe(0);

function expectUnchanged({ original, modules }: SplitText) {
  for (const id of [SectionId.Data, SectionId.DataCount]) {
    expect(contentOf(primaryOf({ modules }), id)).toEqual(contentOf(original, id));
  }
}

describe('segments are merged', () => {
  it('with zeros between them, and memory is as in the original', async () => {
    const split = splitFields(
      MEMORY,
      segments([16, 'abc'], [19, 'd'], [30, 'efg'], [1000, 'h'], [1032, 'i']),
    );
    expect([countOf(split.original), countOf(primaryOf(split))]).toEqual([5, 2]);
    const memory = await expectSameMemory(split);
    expect(memory.toString('latin1', 16, 34)).toBe('abcd\0\0\0\0\0\0\0\0\0\0efg\0');
    expectReassembled(split);
  });

  it('up to the last byte of the memory', async () => {
    const split = splitFields(MEMORY, segments([65_528, 'a'], [65_535, 'b']));
    expect(countOf(primaryOf(split))).toBe(1);
    await expectSameMemory(split);
  });

  it('beyond 2 GiB', () => {
    const split = splitFields('(memory (export "memory") 65536)', segments([-16, 'a'], [-8, 'b'], [-1, 'c']));
    expect(countOf(primaryOf(split))).toBe(1);
    expect(contentOf(primaryOf(split), SectionId.Data).toString('latin1')).toMatch(/a\0{7}b\0{6}c$/);
  });

  it.each([
    [32, 1],
    [33, 2],
  ])('with a gap of %i bytes into %i', async (gap, count) => {
    const split = splitFields(MEMORY, segments([0, 'a'], [1 + gap, 'b']));
    expect(countOf(primaryOf(split))).toBe(count);
    await expectSameMemory(split);
  });

  it('with the previous one in the section, unless that has a higher address', async () => {
    const split = splitFields(MEMORY, segments([100, 'a'], [90, 'b'], [95, 'c'], [0, 'd']));
    expect(countOf(primaryOf(split))).toBe(3);
    await expectSameMemory(split);
    expectReassembled(split);
  });

  it('without their names, because their indices change', () => {
    const DATA_NAMES = 9;
    const first = `${MEMORY} (data $first (i32.const 0) "a")`;
    const merged = splitFields(first, '(data $second (i32.const 8) "b")');
    const apart = splitFields(first, '(data $second (i32.const 800) "b")');
    for (const { original } of [merged, apart]) expect(nameSubsections(original)).toContain(DATA_NAMES);
    expect(nameSubsections(primaryOf(merged))).toEqual(
      nameSubsections(merged.original).filter((id) => id !== DATA_NAMES),
    );
    expect(nameSubsections(primaryOf(apart))).toEqual(nameSubsections(apart.original));
    for (const split of [merged, apart]) {
      for (const secondary of split.modules.slice(1))
        expect(nameSubsections(secondary)).not.toContain(DATA_NAMES);
      expectReassembled(split);
    }
  });

  it('without a data count section', () => {
    for (const [address, count, said] of [
      [8, 1, false],
      [63, 2, true],
    ] as const) {
      const split = splitCounted(FUNCTION, NOTHING, address);
      const primary = primaryOf(split);
      expect([countOf(primary), sectionOf(primary, SectionId.DataCount) !== undefined]).toEqual([
        count,
        said,
      ]);
      expect(WebAssembly.validate(primary)).toBe(true);
      expectReassembled(split);
    }
  });

  it('without their contents in the reassembly plan, unless these are short', () => {
    const short = 'short';
    const long = 'long'.repeat(100);
    const split = splitFields(MEMORY, segments([0, long], [408, short], [416, long]));
    expect(countOf(primaryOf(split))).toBe(1);
    const plan = Buffer.from(split.plan).toString('latin1');
    expect(plan).toContain(short);
    expect(plan).not.toContain('longlong');
    expectReassembled(split);
  });

  it('in esbuild-wasm: less than 1000 instead of 98,450', async () => {
    const split = splitWire(await readPackage('esbuild-wasm/esbuild.wasm'), []);
    const { original } = split;
    expect(countOf(original)).toBe(98_450);
    expect(countOf(primaryOf(split))).toBeLessThan(1000);
    expectReassembled(split);
    const memories = [original, primaryOf(split)].map((bytes) => {
      const module = new WebAssembly.Module(bytes);
      const imports: Record<string, Record<string, () => number>> = {};
      for (const { module: from, name } of WebAssembly.Module.imports(module)) {
        imports[from] = { ...imports[from], [name]: () => 0 };
      }
      const { exports } = new WebAssembly.Instance(module, imports);
      return Buffer.from((exports['mem'] as WebAssembly.Memory).buffer);
    });
    const [expected = Buffer.alloc(0), found = Buffer.alloc(0)] = memories;
    expect(expected.length).toBeGreaterThan(0);
    expect(Buffer.compare(found, expected)).toBe(0);
  });
});

describe('segments are not merged', () => {
  /** Two neighbours that could be merged. */
  const TWO = segments([0, 'a'], [8, 'b']);

  it('in an imported memory, which may not be zero', async () => {
    const split = splitFields('(import "host" "memory" (memory 1)) (export "memory" (memory 0))', TWO);
    expectUnchanged(split);
    const memory = await expectSameMemory(split, () => {
      const given = new WebAssembly.Memory({ initial: 1 });
      new Uint8Array(given.buffer).fill(7);
      return { host: { memory: given } };
    });
    expect([...memory.subarray(0, 10)]).toEqual([97, 7, 7, 7, 7, 7, 7, 7, 98, 7]);
  });

  it.each([
    ['memory.init', 'i32.const 0 i32.const 0 i32.const 0 memory.init 1'],
    ['data.drop', 'data.drop 1'],
    ['memory.init after ref.func', 'ref.func $hot drop i32.const 0 i32.const 0 i32.const 0 memory.init 1'],
  ])('if a function has %s', async (_, instructions) => {
    const split = splitFields(MEMORY, TWO, `(elem declare func $hot) (func $bound ${instructions})`);
    expectUnchanged(split);
    await expectSameMemory(split);
  });

  it.each([
    ['array.new_data', [0x41, 0, 0x41, 0, 0xfb, 9, 1, 1, 0x1a]],
    ['array.init_data', [0x41, 1, 0xfb, 7, 1, 0x41, 0, 0x41, 0, 0x41, 0, 0xfb, 18, 1, 1]],
  ])('if a function has %s', (_, instructions) => {
    expectUnchanged(splitCounted(FUNCTION_AND_ARRAY, [0, ...instructions, 0x0b], 8));
    expect(countOf(primaryOf(splitCounted(FUNCTION_AND_ARRAY, NOTHING, 8)))).toBe(1);
  });

  it.each([
    ['in a gap, earlier', [6, 'c'], [0, 'aaaa'], [8, 'bbbb']],
    ['in a gap, later', [0, 'aaaa'], [8, 'bbbb'], [6, 'c']],
    ['in a gap with an earlier segment', [0, 'aaaa'], [6, 'c'], [2, 'd'], [8, 'bbbb']],
    ['at the start of one', [0, 'a'], [4, 'bbbb'], [2, 'cccc']],
    ['at the end of one', [2, 'cccc'], [10, 'd'], [0, 'aaaa']],
    ['over all of one', [8, 'aa'], [12, 'bb'], [0, 'cccccccccccccccccccc']],
  ] as [string, ...[number, string][]][])('if one overwrites another %s', async (_, ...all) => {
    const split = splitFields(MEMORY, segments(...all));
    expectUnchanged(split);
    await expectSameMemory(split);
  });

  it('if one is passive', async () => {
    // Its size and content look like those of an active segment at 16.
    const split = splitFields(MEMORY, TWO, `(data "\\10\\0b\\3e${'c'.repeat(62)}")`);
    expectUnchanged(split);
    await expectSameMemory(split);
  });

  it('if the address of one is imported', async () => {
    const split = splitFields('(import "host" "at" (global i32))', MEMORY, TWO, '(data (global.get 0) "c")');
    expectUnchanged(split);
    await expectSameMemory(split, () => ({ host: { at: 4 } }));
  });

  // Not every Node that tests run in accepts these modules.
  it.each([
    ['if the address of one is computed', MEMORY, TWO, '(data (i32.add (i32.const 8) (i32.const 8)) "c")'],
    [
      'in a memory of 64-bit addresses',
      '(memory i64 1)',
      '(data (i64.const 0) "a")',
      '(data (i64.const 8) "b")',
    ],
  ])('%s', (_, ...fields) => {
    expectUnchanged(splitFields(...fields));
  });

  it('if one is for another memory', () => {
    const original = moduleOf(
      FUNCTION,
      section(3, 1, 0),
      section(5, 2, 0, 1, 0, 1),
      section(10, 1, NOTHING.length, ...NOTHING),
      section(11, 3, 0, 0x41, 0, 0x0b, 1, 97, 0, 0x41, 8, 0x0b, 1, 98, 2, 1, 0x41, 16, 0x0b, 1, 99),
    );
    expectUnchanged(splitWire(original, []));
  });

  it('if one is out of bounds: the earlier ones stay in memory, and functions can read them', async () => {
    const split = splitText(
      textOf(
        '(import "host" "table" (table 1 funcref)) (elem (i32.const 0) $get)',
        MEMORY,
        segments([0, 'a'], [8, 'b'], [65_528, 'c'], [65_534, 'ddd']),
        '(func $get (result i32 i32) i32.const 8 i32.load8_u i32.const 65528 i32.load8_u)',
      ),
      ['hot', 'get'],
    );
    expectUnchanged(split);
    const original = await useTable(async (imports) =>
      WebAssembly.instantiate(new WebAssembly.Module(split.original), imports),
    );
    expect(original).toEqual({
      outcome: expect.stringMatching(/data segment.* out of bounds/),
      seen: [98, 99],
    });
    expect(await useTable(link(split).create)).toEqual(original);
  });

  it('without a memory', () => {
    const split = splitFields('(data "a") (data "b")');
    expectUnchanged(split);
  });
});
