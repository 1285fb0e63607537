/** Which module of a split has which function and section, and which modules are not split. */
import { describe, expect, it } from 'vitest';
import { reassemble } from '../../src/runtime/shared/reassembly-plan.ts';
import { readModule } from '../../src/wasm/binary/module.ts';
import { splitModule } from '../../src/wasm/split/split-module.ts';
import type { SplitOptions } from '../../src/wasm/split/split-options.ts';
import { assemble, custom, moduleOf, PACKAGES, readPackage, section } from '../wasm/support.ts';
import { wat } from '../support/wat.ts';
import { indicesOf, splitText } from './support.ts';

const assignmentOf = (text: string, hot: readonly string[], options: Partial<SplitOptions> = {}) => [
  ...splitText(text, hot, options).assignment,
];

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

/** Expects that the modules of a split are valid, and that reassembling them reproduces the original module. */
function expectReassembled(wire: Uint8Array, hot: ReadonlySet<number>) {
  const split = splitModule(wire, hot, { tailCalls: true });
  if ('unsplitReason' in split) throw new Error(split.unsplitReason);
  for (const module of split.modules) expect(WebAssembly.validate(new Uint8Array(module))).toBe(true);
  expect(Buffer.compare(reassemble(split.modules, split.plan), wire)).toBe(0);
  return split;
}

const nops = (count: number) => 'nop '.repeat(count);

describe('the assignment of functions', () => {
  const four = '(module (func $a nop) (func $b nop) (func $c nop) (func $d nop))';

  it.each([
    [['a', 'c'], 1, [0, 1, 0, 1]],
    [[], 1, [1, 1, 1, 1]],
    [[], 2, [1, 1, 2, 2]],
    [['b'], 3, [1, 0, 2, 3]],
    [['a', 'b', 'c'], 3, [0, 0, 0, 1]],
  ] as const)('with %j in the primary and %i secondaries is %j', (hot, secondaries, assignment) => {
    expect(assignmentOf(four, hot, { secondaries })).toEqual(assignment);
  });

  const near = `(module
    (import "" "imported" (func $imported))
    (func $large ${nops(50)})
    (func $far nop)
    (func $small call $far)
    (func $hot call $imported call $hot call $large call $small ${nops(100)}))`;

  it.each([
    [undefined, [1, 1, 1, 0]],
    [0, [1, 1, 1, 0]],
    [0.1, [1, 1, 0, 0]],
    [0.4, [1, 1, 0, 0]],
    [0.6, [0, 1, 0, 0]],
  ])(
    'keeps the smallest functions that hot ones call in the primary, up to a share of %j',
    (share, assignment) => {
      expect(assignmentOf(near, ['hot'], { likelyShare: share })).toEqual(assignment);
    },
  );

  it.each([
    ['memory.init', '(memory 1) (data $d "x")', 'i32.const 0 i32.const 0 i32.const 1 memory.init $d'],
    ['data.drop', '(memory 1) (data $d "x")', 'data.drop $d'],
    [
      'table.init',
      '(table 1 funcref) (elem $e func $hot)',
      'i32.const 0 i32.const 0 i32.const 1 table.init $e',
    ],
    ['elem.drop', '(table 1 funcref) (elem $e func $hot)', 'elem.drop $e'],
    ['ref.func', '(elem declare func $hot)', 'ref.func $hot drop'],
  ])('keeps functions with %s in the primary', (_, fields, instructions) => {
    const text = `(module ${fields} (func $hot) (func $bound ${instructions}) (func $cold nop))`;
    expect(assignmentOf(text, ['hot'])).toEqual([0, 0, 1]);
    expect(splitText(text, ['hot']).boundFunctions).toBe(1);
  });
});

describe('real modules', () => {
  it.each(PACKAGES)('%s has valid modules that reassemble to the original', async (path) => {
    const wire = await readPackage(path);
    const { importedFunctions, functions } = readModule(wire);
    const hot = new Set<number>();
    for (let index = importedFunctions; index < functions; index += 3) hot.add(index);
    for (const each of [hot, new Set<number>()]) expectReassembled(wire, each);
  });
});

describe('a split', () => {
  it('keeps the order of sections, and moves names with their functions', () => {
    const wire = new Uint8Array(
      wat('(module (func $hot (param $x i32) nop) (func $cold (param $y i32) (local $z i32) nop))'),
    );
    const { modules } = expectReassembled(wire, indicesOf(wire, ['hot']));
    const [primary = wire, secondary = wire] = modules;
    expect([...readModule(primary).functionNames()]).toEqual([[0, 'hot']]);
    expect([...readModule(secondary).functionNames()]).toEqual([[1, 'cold']]);
    expect(latin1(primary)).toContain('\u0001x');
    expect(latin1(primary)).not.toContain('\u0001z');
    expect(latin1(secondary)).toContain('\u0001z');
  });

  it('keeps custom sections in the primary, also a damaged name section', () => {
    const wire = moduleOf(
      custom('first', 1),
      section(1, 1, 0x60, 0, 0),
      custom('second', 2),
      section(3, 1, 0),
      section(10, 1, 3, 0, 1, 0x0b),
      custom('name', 1, 0xff),
      custom('last', 3),
    );
    const { modules } = expectReassembled(wire, new Set());
    const names = modules.map((module) => readModule(module).customSections.map(({ name }) => name));
    expect(names).toEqual([['first', 'second', 'name', 'last'], []]);
  });
});

describe('a module is not split because', () => {
  it.each([
    ['its memory is shared between threads', assemble('(module (memory 1 1 shared) (func nop))')],
    ['it uses JS string builtins', assemble('(module (import "wasm:js-string" "x" (func)) (func nop))')],
    [
      'it has imports or exports named wasm-precompile',
      assemble('(module (func nop) (export "wasm-precompile:hook" (func 0)))'),
    ],
    [
      'it has imports or exports named wasm-precompile',
      assemble('(module (import "wasm-precompile" "x" (func)) (func nop))'),
    ],
    [
      'it is linked at run time',
      moduleOf(
        custom('dylink.0', 0),
        section(1, 1, 0x60, 0, 0),
        section(3, 1, 0),
        section(10, 1, 2, 0, 0x0b),
      ),
    ],
    ['there is no function to move', assemble('(module)')],
    [
      /a known instruction .*found 0xfb/,
      moduleOf(section(1, 1, 0x60, 0, 0), section(3, 1, 0), section(10, 1, 4, 0, 0xfb, 0x63, 0x0b)),
    ],
    [
      /a known instruction .*found 0xf7/,
      moduleOf(section(1, 1, 0x60, 0, 0), section(3, 1, 0), section(10, 1, 3, 0, 0xf7, 0x0b)),
    ],
  ])('%s', (why, wire) => {
    const split = splitModule(wire, new Set(), { tailCalls: true });
    expect(split).toMatchObject({ unsplitReason: why instanceof RegExp ? expect.stringMatching(why) : why });
  });
});
