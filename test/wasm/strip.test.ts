import { describe, expect, test } from 'vitest';
import { WasmPrecompileError } from '../../src/common/error.ts';
import { interfaceOf, readModule } from '../../src/wasm/binary/module.ts';
import { stripCustomSections } from '../../src/wasm/binary/strip.ts';
import { assemble, custom, engine, moduleOf, section } from './support.ts';

const DEBUG = [
  '.debug_info',
  '.debug_line',
  'producers',
  'sourceMappingURL',
  'external_debug_info',
  'linking',
  'reloc.CODE',
];
const INFORMATIVE = ['name', 'target_features', 'build_id', 'my-data'];
const NEEDED = ['metadata.code.branch_hint', 'metadata.code.trace_inst', 'dylink.0', 'dylink'];

/** All kinds of custom sections, before, between and after other sections. */
const bytes = moduleOf(
  ...NEEDED.map((title) => custom(title, 0)),
  ...DEBUG.map((title) => custom(title, 1, 2)),
  section(1, 1, 0x60, 0, 1, 0x7f),
  custom('producers', 0),
  section(3, 1, 0),
  section(7, 1, 1, 0x66, 0, 0),
  custom('my-data', 9),
  section(10, 1, 4, 0, 0x41, 42, 0x0b),
  ...INFORMATIVE.map((title) => custom(title, 3)),
);

/** The contents of all sections that are not custom. */
const contents = (of: Uint8Array) =>
  readModule(of)
    .sections.filter(({ id }) => id !== 0)
    .map(({ offset, size }) => Buffer.from(of.subarray(offset, offset + size)));

const names = (stripped: Uint8Array) => readModule(stripped).customSections.map((entry) => entry.name);

describe('stripping', () => {
  test('returns the same bytes with `false`', () => {
    expect(stripCustomSections(bytes, false)).toBe(bytes);
  });

  test("removes with 'debug' the sections that debuggers and linkers read", () => {
    expect(names(stripCustomSections(bytes, 'debug'))).toEqual([...NEEDED, 'my-data', ...INFORMATIVE]);
  });

  test("keeps with 'all' only the sections that engines and loaders read", () => {
    expect(names(stripCustomSections(bytes, 'all'))).toEqual(NEEDED);
  });

  test.each(['debug', 'all'] as const)(
    'returns a valid module with the same interface and sections: %s',
    (mode) => {
      const stripped = stripCustomSections(bytes, mode);
      expect(engine.validate(stripped)).toBe(true);
      expect(interfaceOf(readModule(stripped))).toEqual(interfaceOf(readModule(bytes)));
      expect(contents(stripped)).toEqual(contents(bytes));
    },
  );

  test('returns the same object if there is nothing to remove', () => {
    const plain = assemble('(module (func $named (export "f")))');
    expect(names(plain)).toEqual(['name']);
    expect(stripCustomSections(plain, 'debug')).toBe(plain);
    const stripped = stripCustomSections(plain, 'all');
    expect(names(stripped)).toEqual([]);
    expect(stripCustomSections(stripped, 'all')).toBe(stripped);
  });

  test('does not change its input', () => {
    const copy = bytes.slice();
    stripCustomSections(bytes, 'all').fill(0);
    expect(bytes).toEqual(copy);
  });

  test('rejects a file that is not wasm, and names it', () => {
    expect(() => stripCustomSections(new Uint8Array(), 'all', 'lib/x.wasm')).toThrow(WasmPrecompileError);
    expect(() => stripCustomSections(new Uint8Array(), 'all', 'lib/x.wasm')).toThrow(
      /^lib\/x\.wasm: .*empty/,
    );
  });
});
