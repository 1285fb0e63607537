/** What is in which part, and which modules stay whole. */
import { describe, expect, it } from 'vitest';
import { reassemble } from '../../src/runtime/shared/reassembly-plan.ts';
import { readModule } from '../../src/wasm/binary/module.ts';
import { splitModule } from '../../src/wasm/split/split.ts';
import { assemble, custom, moduleOf, PACKAGES, readPackage, section } from '../wasm/support.ts';
import { wat } from '../support/wat.ts';
import { indicesOf, splitText } from './support.ts';

const ownersOf = (text: string, hot: readonly string[], options = {}) => [
  ...splitText(text, hot, options).owners,
];

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

/** What a split module is put together again to is what it was. */
function expectWhole(wire: Uint8Array, hot: ReadonlySet<number>, parts?: number) {
  const split = splitModule(wire, hot, { tailCalls: true, secondaries: parts });
  if ('whole' in split) throw new Error(split.whole);
  for (const part of split.parts) expect(WebAssembly.validate(new Uint8Array(part))).toBe(true);
  expect(Buffer.compare(reassemble(split.parts, split.recipe), wire)).toBe(0);
  return split;
}

const nops = (count: number) => 'nop '.repeat(count);

describe('owners', () => {
  const four = '(module (func $a nop) (func $b nop) (func $c nop) (func $d nop))';

  it.each([
    [['a', 'c'], 1, [0, 1, 0, 1]],
    [[], 1, [1, 1, 1, 1]],
    [[], 2, [1, 1, 2, 2]],
    [['b'], 3, [1, 0, 2, 3]],
    [['a', 'b', 'c'], 3, [0, 0, 0, 1]],
  ] as const)('with %j in the primary and %i secondaries: %j', (hot, parts, owners) => {
    expect(ownersOf(four, hot, { parts })).toEqual(owners);
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
  ])('functions that hot ones call stay with them, the smallest first: share %j', (share, owners) => {
    expect(ownersOf(near, ['hot'], { near: share })).toEqual(owners);
  });

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
  ])('functions with %s stay in the primary', (_, fields, instructions) => {
    const text = `(module ${fields} (func $hot) (func $bound ${instructions}) (func $cold nop))`;
    expect(ownersOf(text, ['hot'])).toEqual([0, 0, 1]);
    expect(splitText(text, ['hot']).bound).toBe(1);
  });
});

describe('real modules', () => {
  it.each(PACKAGES)('%s comes together again, with valid parts', async (path) => {
    const wire = await readPackage(path);
    const { importedFunctions, functions } = readModule(wire);
    const hot = new Set<number>();
    for (let index = importedFunctions; index < functions; index += 3) hot.add(index);
    for (const each of [hot, new Set<number>()]) expectWhole(wire, each);
  });
});

describe('sections', () => {
  it('keep their place; names go with their functions', () => {
    const wire = new Uint8Array(
      wat('(module (func $hot (param $x i32) nop) (func $cold (param $y i32) (local $z i32) nop))'),
    );
    const { parts } = expectWhole(wire, indicesOf(wire, ['hot']));
    const [primary = wire, secondary = wire] = parts;
    expect([...readModule(primary).functionNames()]).toEqual([[0, 'hot']]);
    expect([...readModule(secondary).functionNames()]).toEqual([[1, 'cold']]);
    expect(latin1(primary)).toContain('\u0001x');
    expect(latin1(primary)).not.toContain('\u0001z');
    expect(latin1(secondary)).toContain('\u0001z');
  });

  it('that are custom stay in the primary, also a damaged name section', () => {
    const wire = moduleOf(
      custom('first', 1),
      section(1, 1, 0x60, 0, 0),
      custom('second', 2),
      section(3, 1, 0),
      section(10, 1, 3, 0, 1, 0x0b),
      custom('name', 1, 0xff),
      custom('last', 3),
    );
    const { parts } = expectWhole(wire, new Set());
    const names = parts.map((part) => readModule(part).customSections.map(({ name }) => name));
    expect(names).toEqual([['first', 'second', 'name', 'last'], []]);
  });
});

describe('a module stays whole', () => {
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
    ['nothing is left to move', assemble('(module)')],
    [
      /an instruction that is known .*found 0xfb/,
      moduleOf(section(1, 1, 0x60, 0, 0), section(3, 1, 0), section(10, 1, 4, 0, 0xfb, 0x63, 0x0b)),
    ],
    [
      /an instruction that is known .*found 0xf7/,
      moduleOf(section(1, 1, 0x60, 0, 0), section(3, 1, 0), section(10, 1, 3, 0, 0xf7, 0x0b)),
    ],
  ])('%s', (why, wire) => {
    const split = splitModule(wire, new Set(), { tailCalls: true });
    expect(split).toMatchObject({ whole: why instanceof RegExp ? expect.stringMatching(why) : why });
  });
});
