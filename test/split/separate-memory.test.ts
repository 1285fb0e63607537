/** Which memories are separate from the primary, and which are not. */
import { describe, expect, it } from 'vitest';
import { reassemble } from '../../src/runtime/shared/reassembly-plan.ts';
import { NO_MAXIMUM, readLimits } from '../../src/runtime/shared/memory-image.ts';
import { readModule } from '../../src/wasm/binary/module.ts';
import { SectionId } from '../../src/wasm/binary/sections.ts';
import { functionsOf, link, piecesOf, splitText, type SplitText } from './support.ts';

/** Bytes from 0 on, and at the end of the first page. */
const DATA = '(data (i32.const 0) "abc") (data (i32.const 65535) "z")';

/** A module that can be split, with additional fields. */
const splitFields = (fields: string, minSeparateMemory = 0) =>
  splitText(
    `(module ${fields} (func $hot (export "hot") (result i32) call $cold)
      (func $cold (result i32) i32.const 65535 i32.load8_u))`,
    ['hot'],
    { minSeparateMemory },
  );

const primaryOf = ({ modules }: SplitText) => new Uint8Array(modules[0] ?? []);

const idsOf = (wire: Uint8Array) => readModule(wire).sections.map(({ id }) => id);

const contentOf = ({ exports }: WebAssembly.Instance) => {
  const { buffer } = exports['memory'] as WebAssembly.Memory;
  return Buffer.from(buffer.slice(0));
};

const MEMORY_EXPORT = '(export "memory" (memory 0))';

const failure = (attempt: Promise<unknown>) => attempt.then(String, String);

/** Returns what a function reads from memory after the instantiation that put it into a table has failed. */
async function seenAfterFailure(create: (imports: WebAssembly.Imports) => Promise<unknown>): Promise<number> {
  const table = new WebAssembly.Table({ element: 'anyfunc', initial: 1 });
  await expect(create({ host: { table } })).rejects.toThrow(/out of bounds/);
  return (table.get(0) as () => number)();
}

describe('a separate memory', () => {
  it.each([
    ['without a maximum', '(memory 2)', { initial: 2, maximum: NO_MAXIMUM }],
    ['with a maximum', '(memory 1 3)', { initial: 1, maximum: 3 }],
    ['with the largest maximum', '(memory 1 65536)', { initial: 1, maximum: 65_536 }],
  ])('is the same as in the original, %s', async (_, field, limits) => {
    const split = splitFields(`${field} ${MEMORY_EXPORT} ${DATA}`);
    expect(readLimits(split.memory ?? new Uint8Array())).toEqual(limits);
    const primary = primaryOf(split);
    for (const id of [SectionId.Data, SectionId.Memory]) expect(idsOf(primary)).not.toContain(id);
    expect(Buffer.compare(reassemble(piecesOf(split), split.plan), split.original)).toBe(0);

    const original = await WebAssembly.instantiate(new WebAssembly.Module(split.original));
    const own = await link(split).create();
    expect(Buffer.compare(contentOf(own), contentOf(original))).toBe(0);
    expect(functionsOf(own)['hot']?.()).toBe('z'.charCodeAt(0));
    const grown = [original, own].map(({ exports }) => {
      const { grow } = WebAssembly.Memory.prototype;
      const memory = exports['memory'] as WebAssembly.Memory;
      return [1, 1, 1].map((pages) => {
        try {
          return grow.call(memory, pages);
        } catch (error) {
          return (error as Error).message;
        }
      });
    });
    expect(grown[1]).toEqual(grown[0]);
  });

  it('is the last import, so that errors about other imports have the same messages', async () => {
    const split = splitFields(`(import "host" "f" (func)) (import "host" "g" (global i32))
      (memory 1) ${DATA}`);
    expect(split.memory).toBeDefined();
    for (const imports of [undefined, {}, { host: {} }, { host: { f() {}, g: 'none' } }]) {
      const given = imports as WebAssembly.Imports;
      // oxlint-disable-next-line no-await-in-loop
      const expected = await failure(WebAssembly.instantiate(new WebAssembly.Module(split.original), given));
      // oxlint-disable-next-line no-await-in-loop
      expect(await failure(link(split).create(given))).toBe(expected);
      expect(expected).toContain('Error');
    }
  });

  it('belongs to one instance', async () => {
    const linked = link(splitFields(`(memory 1) ${MEMORY_EXPORT} ${DATA}`));
    const [first, second] = [await linked.create(), await linked.create()];
    new Uint8Array((first.exports['memory'] as WebAssembly.Memory).buffer).fill(7);
    expect(contentOf(second).toString('latin1', 0, 4)).toBe('abc\0');
  });

  it('is filled before the start function runs', async () => {
    const seen: number[] = [];
    const split = splitText(
      `(module (import "host" "see" (func $see (param i32))) (memory 1) ${DATA} (start $start)
        (func $start i32.const 1 i32.load8_u call $see) (func $cold))`,
      ['start'],
      { minSeparateMemory: 0 },
    );
    await link(split).create({ host: { see: (value: number) => seen.push(value) } });
    expect(seen).toEqual(['b'.charCodeAt(0)]);
  });

  it('is required: instantiation without it throws', () => {
    const split = splitFields(`(memory 1) ${DATA}`);
    expect(() => new WebAssembly.Instance(new WebAssembly.Module(primaryOf(split)))).toThrow(TypeError);
    expect(() => new WebAssembly.Instance(new WebAssembly.Module(primaryOf(split)), {})).toThrow(
      /Import #0 .*"wasm-precompile"/,
    );
  });
});

describe('a memory stays in the primary', () => {
  const INSIDE = '(import "host" "table" (table 1 funcref))';

  it.each([
    ['if it has little data', `(memory 1) ${DATA}`, 5],
    ['if separation is not requested', `(memory 1) ${DATA}`, Infinity],
    ['if it is imported', `(import "host" "memory" (memory 1)) ${DATA}`, 0],
    ['if a table is imported: functions in it could read data too early', `${INSIDE} (memory 1) ${DATA}`, 0],
    ['if an address is computed', '(import "" "g" (global i32)) (memory 1) (data (global.get 0) "a")', 0],
    ['if data is out of bounds', '(memory 1) (data (i32.const 65535) "ab")', 0],
    ['if a segment is passive', `(memory 1) ${DATA} (data "passive")`, 0],
    ['if two segments overlap', '(memory 1) (data (i32.const 0) "ab") (data (i32.const 1) "c")', 0],
    ['if a function refers to segments', `(memory 1) ${DATA} (func data.drop 0)`, 0],
  ])('%s', (_, fields, minSeparateMemory) => {
    const split = splitFields(fields, minSeparateMemory);
    expect(split.memory).toBeUndefined();
    const { original } = split;
    for (const id of [SectionId.Data, SectionId.Memory]) {
      expect(idsOf(primaryOf(split)).includes(id)).toBe(idsOf(original).includes(id));
    }
  });

  it('so that functions left in an imported table read the same memory as with the original', async () => {
    const text = `(module ${INSIDE} (memory 1) ${DATA} (elem (i32.const 0) $get) (elem (i32.const 1) $get)
      (func $get (result i32) i32.const 0 i32.load8_u) (func $cold))`;
    const split = splitText(text, ['get'], { minSeparateMemory: 0 });
    const original = await seenAfterFailure((imports) =>
      WebAssembly.instantiate(new WebAssembly.Module(split.original), imports),
    );
    expect(original).toBe(0);
    expect(await seenAfterFailure(link(split).create)).toBe(original);
  });
});
