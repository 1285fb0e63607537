import { describe, expect, test } from 'vitest';
import { readModule } from '../../src/wasm/binary/module.ts';
import type { CompositeKind, ReferenceType } from '../../src/wasm/binary/extern-types.ts';
import { assemble, custom, engine, moduleOf, name, PREAMBLE, section } from './support.ts';

/** Section ids. */
const TYPE = 1;
const FUNCTION = 3;
const TABLE = 4;
const MEMORY = 5;
const GLOBAL = 6;
const EXPORT = 7;
const CODE = 10;

/** External kinds. */
const FUNC = 0;
const GLOBAL_KIND = 3;

/** The content of an export section with one export of index 0, `x`. */
function exportX(kind: number): number[] {
  return section(EXPORT, 1, ...name('x'), kind, 0);
}

function concrete(typeIndex: number, defines: CompositeKind, nullable: boolean): ReferenceType {
  return { kind: 'concrete', typeIndex, defines, nullable };
}

/** The type of the only export. */
function typeOfExport(bytes: Uint8Array) {
  const { exports } = readModule(bytes);
  expect(exports).toHaveLength(1);
  return exports[0]?.type;
}

/**
 * The type of a function with the given value type as its parameter, after types 0 (struct), 1 (array), 2
 * (function).
 */
function parameterOf(...valueType: number[]) {
  const types = [0x5f, 0, 0x5e, 0x78, 1, 0x60, 0, 0, 0x60, 1, ...valueType, 0];
  const type = typeOfExport(
    moduleOf(
      section(TYPE, 4, ...types),
      section(FUNCTION, 1, 3),
      exportX(FUNC),
      section(CODE, 1, 2, 0, 0x0b),
    ),
  );
  return type && 'params' in type ? type.params[0] : undefined;
}

test('the empty module has no imports, exports or functions', () => {
  const { functionNames, ...module } = readModule(Uint8Array.from(PREAMBLE));
  expect(functionNames()).toEqual(new Map());
  expect(module).toEqual({
    imports: [],
    exports: [],
    importedFunctions: 0,
    functions: 0,
    sections: [],
    customSections: [],
  });
});

describe('functions', () => {
  test('have several parameters and results', () => {
    const bytes = assemble(`(module
      (import "env" "pair" (func $pair (param i32 i64 f32 f64) (result f64 i32)))
      (func (export "vector") (param v128 funcref externref) (result v128 externref)
        (local.get 0) (local.get 2))
      (export "pair" (func $pair)))`);
    const pair = { params: ['i32', 'i64', 'f32', 'f64'], results: ['f64', 'i32'] };
    const vector = { params: ['v128', 'funcref', 'externref'], results: ['v128', 'externref'] };
    expect(readModule(bytes)).toMatchObject({
      imports: [{ module: 'env', name: 'pair', kind: 'function', type: pair }],
      exports: [
        { name: 'vector', index: 1, kind: 'function', type: vector },
        { name: 'pair', index: 0, kind: 'function', type: pair },
      ],
      importedFunctions: 1,
      functions: 1,
    });
  });

  test('can be the start function', () => {
    const bytes = assemble('(module (import "a" "b" (func)) (func $start) (func) (start $start))');
    expect(readModule(bytes)).toMatchObject({ importedFunctions: 1, functions: 2, start: 1 });
  });
});

describe('tables', () => {
  test('have limits and an element type', () => {
    const bytes = assemble(`(module
      (import "env" "imported" (table 1 externref))
      (table (export "own") 2 5 funcref)
      (elem (table 1) (i32.const 0) funcref (ref.null func)))`);
    expect(readModule(bytes)).toMatchObject({
      imports: [{ kind: 'table', type: { element: 'externref', address: 'i32', minimum: 1 } }],
      exports: [
        { kind: 'table', index: 1, type: { element: 'funcref', address: 'i32', minimum: 2, maximum: 5 } },
      ],
    });
  });

  test('may have 64-bit indices, with a maximum that no number holds exactly', () => {
    const max = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    const bytes = moduleOf(section(TABLE, 1, 0x70, 5, 1, ...max), exportX(1));
    expect(typeOfExport(bytes)).toEqual({ element: 'funcref', address: 'i64', minimum: 1, maximum: 2 ** 64 });
  });

  test('may have an initializer, which is skipped', () => {
    const withInitializer = [0x40, 0, 0x70, 0, 3, 0xd0, 0x70, 0x0b];
    const bytes = moduleOf(
      section(TABLE, 2, ...withInitializer, 0x6f, 0, 9),
      section(EXPORT, 1, 1, 0x78, 1, 1),
    );
    expect(typeOfExport(bytes)).toEqual({ element: 'externref', address: 'i32', minimum: 9 });
  });
});

describe('memories', () => {
  test.each([
    ['(memory (export "m") 1)', { address: 'i32', minimum: 1, shared: false }],
    ['(memory (export "m") 1 2)', { address: 'i32', minimum: 1, maximum: 2, shared: false }],
    ['(memory (export "m") 1 2 shared)', { address: 'i32', minimum: 1, maximum: 2, shared: true }],
    ['(memory (export "m") i64 1)', { address: 'i64', minimum: 1, shared: false }],
    [
      '(memory (export "m") i64 1 0x100000000)',
      { address: 'i64', minimum: 1, maximum: 2 ** 32, shared: false },
    ],
    ['(memory 7) (memory (export "m") 0 9)', { address: 'i32', minimum: 0, maximum: 9, shared: false }],
  ])('%s', (wat, type) => {
    expect(typeOfExport(assemble(`(module ${wat})`))).toEqual({ ...type, pageSize: 65536 });
  });

  test('are imported', () => {
    const bytes = assemble('(module (import "env" "memory" (memory 256 65536 shared)))');
    expect(readModule(bytes).imports).toEqual([
      {
        module: 'env',
        name: 'memory',
        kind: 'memory',
        type: { address: 'i32', minimum: 256, maximum: 65536, shared: true, pageSize: 65536 },
      },
    ]);
  });

  test('may have another page size', () => {
    const bytes = moduleOf(section(MEMORY, 1, 0x09, 1, 2, 0), exportX(2));
    expect(typeOfExport(bytes)).toEqual({
      address: 'i32',
      minimum: 1,
      maximum: 2,
      shared: false,
      pageSize: 1,
    });
  });
});

describe('globals', () => {
  test('have a type and may be mutable', () => {
    const bytes = assemble(`(module
      (import "env" "stack" (global (mut i32)))
      (import "env" "base" (global i32))
      (global (export "vector") v128 (v128.const i32x4 0x0b0b0b0b 2 3 4))
      (global (export "float") (mut f64) (f64.const 1.5))
      (global (export "long") i64 (i64.const -0x8000000000000000))
      (global (export "single") f32 (f32.const 0.5))
      (global (export "sum") i32 (i32.add (global.get 1) (i32.const -1)))
      (global (export "none") externref (ref.null extern))
      (global (export "function") funcref (ref.func $f))
      (func $f))`);
    const { imports, exports } = readModule(bytes);
    expect(imports.map(({ type }) => type)).toEqual([
      { value: 'i32', mutable: true },
      { value: 'i32', mutable: false },
    ]);
    expect(exports).toEqual([
      { name: 'vector', index: 2, kind: 'global', type: { value: 'v128', mutable: false } },
      { name: 'float', index: 3, kind: 'global', type: { value: 'f64', mutable: true } },
      { name: 'long', index: 4, kind: 'global', type: { value: 'i64', mutable: false } },
      { name: 'single', index: 5, kind: 'global', type: { value: 'f32', mutable: false } },
      { name: 'sum', index: 6, kind: 'global', type: { value: 'i32', mutable: false } },
      { name: 'none', index: 7, kind: 'global', type: { value: 'externref', mutable: false } },
      { name: 'function', index: 8, kind: 'global', type: { value: 'funcref', mutable: false } },
    ]);
  });

  test.each([
    ['struct.new', [0x41, 1, 0xfb, 0, 0]],
    ['struct.new_default', [0xfb, 1, 0]],
    ['array.new', [0x41, 1, 0x41, 2, 0xfb, 6, 1]],
    ['array.new_default', [0x41, 2, 0xfb, 7, 1]],
    ['array.new_fixed', [0x41, 1, 0x41, 2, 0xfb, 8, 1, 2]],
    ['ref.i31', [0x41, 0x0b, 0xfb, 28]],
    ['extern.convert_any and back', [0x41, 5, 0xfb, 28, 0xfb, 27, 0xfb, 26]],
  ])('may be initialized with %s', (_, instructions) => {
    const bytes = moduleOf(
      section(TYPE, 2, 0x5f, 1, 0x7f, 0, 0x5e, 0x7f, 1),
      section(GLOBAL, 2, 0x6e, 0, ...instructions, 0x0b, 0x7f, 1, 0x41, 0, 0x0b),
      section(EXPORT, 1, 1, 0x78, GLOBAL_KIND, 1),
    );
    expect(typeOfExport(bytes)).toEqual({ value: 'i32', mutable: true });
  });
});

test('tags have parameters', () => {
  const bytes = assemble(`(module
    (import "env" "thrown" (tag (param externref)))
    (tag (export "own") (param i32 f64)))`);
  expect(readModule(bytes)).toMatchObject({
    imports: [{ kind: 'tag', type: { params: ['externref'] } }],
    exports: [{ name: 'own', index: 1, kind: 'tag', type: { params: ['i32', 'f64'] } }],
  });
});

describe('reference types', () => {
  test.each([
    [0x70, 'funcref'],
    [0x6f, 'externref'],
    [0x6e, 'anyref'],
    [0x6d, 'eqref'],
    [0x6c, 'i31ref'],
    [0x6b, 'structref'],
    [0x6a, 'arrayref'],
    [0x69, 'exnref'],
    [0x71, 'nullref'],
    [0x73, 'nullfuncref'],
    [0x72, 'nullexternref'],
    [0x74, 'nullexnref'],
  ])('%i is %s, in its short and its long form', (code, shorthand) => {
    expect(parameterOf(code)).toBe(shorthand);
    expect(parameterOf(0x63, code)).toBe(shorthand);
  });

  test('may exclude null', () => {
    expect(parameterOf(0x64, 0x70)).toEqual({ kind: 'abstract', heap: 'func', nullable: false });
    expect(parameterOf(0x64, 0x6f)).toEqual({ kind: 'abstract', heap: 'extern', nullable: false });
  });

  test('may refer to a type of the module', () => {
    expect(parameterOf(0x63, 0)).toEqual(concrete(0, 'struct', true));
    expect(parameterOf(0x64, 1)).toEqual(concrete(1, 'array', false));
    expect(parameterOf(0x63, 2)).toEqual(concrete(2, 'function', true));
    expect(parameterOf(0x64, 0x83, 0x00)).toEqual(concrete(3, 'function', false));
  });
});

test('recursion groups, supertypes and forward references are read', () => {
  const types = [
    // (type 0 (func (result i32)))
    [0x60, 0, 1, 0x7f],
    // (rec (type 1 (sub (struct (field (mut i8)) (field (ref null 2))))) (type 2 (array (mut (ref 1)))))
    [0x4e, 2, 0x50, 0, 0x5f, 2, 0x78, 1, 0x63, 2, 0, 0x5e, 0x64, 1, 1],
    // (rec)
    [0x4e, 0],
    // (type 3 (sub final 1 (struct (field (mut i8)) (field (ref null 2)) (field i16))))
    [0x4f, 1, 1, 0x5f, 3, 0x78, 1, 0x63, 2, 0, 0x77, 0],
    // (type 4 (func (param (ref null 3) (ref 2)) (result i32)))
    [0x60, 2, 0x63, 3, 0x64, 2, 1, 0x7f],
  ];
  const bytes = moduleOf(
    section(TYPE, types.length, ...types.flat()),
    section(FUNCTION, 1, 4),
    exportX(FUNC),
    section(CODE, 1, 4, 0, 0x41, 0, 0x0b),
  );
  expect(typeOfExport(bytes)).toEqual({
    params: [concrete(3, 'struct', true), concrete(2, 'array', false)],
    results: ['i32'],
  });
});

describe('names', () => {
  test('may be no identifiers', () => {
    const bytes = assemble(String.raw`(module
      (import "./x y.js" "" (func))
      (import "wasm:js-string" "\00" (func))
      (func (export "a-b.c\22\5c\n"))
      (func (export "h\c3\a4\e2\98\ba\f0\9f\a6\80"))
      (func (export "\ef\bb\bfbom"))
      (func (export "__proto__")))`);
    const module = readModule(bytes);
    expect(module.imports.map((entry) => [entry.module, entry.name])).toEqual([
      ['./x y.js', ''],
      ['wasm:js-string', '\0'],
    ]);
    const names = ['a-b.c"\\\n', 'hä☺🦀', '\uFEFFbom', '__proto__'];
    expect(module.exports.map((entry) => entry.name)).toEqual(names);
    expect(engine.Module.exports(new engine.Module(bytes)).map((entry) => entry.name)).toEqual(names);
  });
});

describe('function names', () => {
  test('are those of the name section, imported functions first', () => {
    const bytes = assemble(
      '(module (import "a" "b" (func $log)) (func $main (local $x i32)) (func) (func $last))',
    );
    const names = new Map([
      [0, 'log'],
      [1, 'main'],
      [3, 'last'],
    ]);
    expect(readModule(bytes).functionNames()).toEqual(names);
  });

  test('may be any text, and other subsections do not matter', () => {
    const names = [0, 2, ...name('m'), 1, 13, 2, 0, ...name(''), 5, ...name('core::é'), 99, 1, 0xff];
    expect(readModule(moduleOf(custom('name', ...names))).functionNames()).toEqual(
      new Map([
        [0, ''],
        [5, 'core::é'],
      ]),
    );
  });

  test.each([
    ['cut off', [1, 9, 1, 0, 1, 0x61]],
    ['with an impossible count', [1, 5, 0xff, 0xff, 0xff, 0xff, 0x0f]],
    ['not in UTF-8', [1, 4, 1, 0, 1, 0xff]],
    ['with a LEB128 number that is too long', [1, 7, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0]],
  ])('are empty if the name section is %s', (_, content) => {
    expect(readModule(moduleOf(custom('name', ...content))).functionNames()).toEqual(new Map());
  });

  test('are empty without a name section', () => {
    expect(readModule(moduleOf(custom('names'))).functionNames()).toEqual(new Map());
  });
});

test('sections and custom sections have their offsets', () => {
  const bytes = moduleOf(custom('first', 1, 2, 3), section(MEMORY, 1, 0, 1), custom('', 4));
  const { sections, customSections } = readModule(bytes);
  expect(sections).toEqual([
    { id: 0, name: 'first', start: 8, offset: 10, size: 9 },
    { id: 5, name: 'memory', start: 19, offset: 21, size: 3 },
    { id: 0, name: '', start: 24, offset: 26, size: 2 },
  ]);
  expect(customSections).toEqual([
    { name: 'first', offset: 16, size: 3 },
    { name: '', offset: 27, size: 1 },
  ]);
});

test('a view into a larger buffer is read by its own bounds', () => {
  const bytes = assemble('(module (memory (export "m") 1))');
  const larger = new Uint8Array(bytes.length + 20).fill(0xff);
  larger.set(bytes, 10);
  expect(readModule(larger.subarray(10, 10 + bytes.length)).exports).toEqual(readModule(bytes).exports);
});
