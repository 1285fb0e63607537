/** Primaries without the bodies that native code has. */
import { describe, expect, it } from 'vitest';
import { reassemble } from '../../src/runtime/shared/reassembly-plan.ts';
import { readFunctionBodies } from '../../src/wasm/binary/code.ts';
import { readModule } from '../../src/wasm/binary/module.ts';
import { functionsOf, link, piecesOf, splitText, type SplitText } from './support.ts';

/** More than a stub has. */
const BODY = 'local.get $x i32.const 3 i32.mul local.set $x '.repeat(10);
const HOT = `(func $hot (export "hot") (param $x i32) (result i32) ${BODY} local.get $x)`;
const COLD = '(func $cold (export "cold") (param $x i32) (result i32) local.get $x call $hot)';

const split = (fields: string, hot = ['hot'], leastBodies = 0) =>
  splitText(`(module ${fields})`, hot, { leastBodies });

/** Sizes of the bodies that a module has, by the names of its functions. */
function sizesOf(wire: Uint8Array): Record<string, number> {
  const module = readModule(wire);
  const names = module.functionNames();
  const bodies = readFunctionBodies(wire, module);
  return Object.fromEntries(
    bodies.map(({ size }, i) => [names.get(module.importedFunctions + i) ?? String(i), size]),
  );
}

const primaryOf = ({ parts }: SplitText) => parts.at(0) ?? new Uint8Array();
const fullOf = ({ full }: SplitText) => full?.primary ?? new Uint8Array();

function withoutIdentity(wire: Uint8Array): string {
  const last = readModule(wire).sections.at(-1);
  expect(last?.name).toBe('wasm-precompile:module');
  return Buffer.from(wire.subarray(0, last?.start)).toString('hex');
}

const power = (x: number) => Math.imul(x, 3 ** 10);

describe('a lean primary', () => {
  it('has stubs instead of bodies, and gives the full one together with the last secondary', async () => {
    const lean = split(`${HOT} ${COLD}`);
    const [primary, full] = [primaryOf(lean), fullOf(lean)];
    expect(lean.parts).toHaveLength(3);
    expect(sizesOf(full)['hot']).toBeGreaterThan(sizesOf(primary)['hot'] ?? 0);
    expect(sizesOf(full)['cold']).toBe(sizesOf(primary)['cold']);
    const bodies = lean.parts.at(-1) ?? new Uint8Array();
    const recipe = lean.full?.plan ?? new Uint8Array();
    expect(Buffer.compare(reassemble([primary, bodies], recipe), full)).toBe(0);
    expect(Buffer.compare(reassemble(piecesOf(lean), lean.recipe), lean.whole)).toBe(0);

    const { create, brought } = link(lean);
    const { hot, cold } = functionsOf(await create());
    expect([hot?.(5), cold?.(6)]).toEqual([power(5), power(6)]);
    // Nothing here has native code.
    expect(brought.map(([part]) => part)).toEqual([2, 1]);
  });

  it('as the full one, does its work without the last secondary', async () => {
    const lean = split(`${HOT} ${COLD}`);
    const { create, brought } = link({ parts: [fullOf(lean), ...lean.parts.slice(1)] });
    const { hot, cold } = functionsOf(await create());
    expect([hot?.(5), cold?.(6)]).toEqual([power(5), power(6)]);
    expect(brought.map(([part]) => part)).toEqual([1]);
  });

  it('says which module it is that of: V8 takes modules with the same bytes for one, with native code and all', () => {
    const [one, two] = [
      split(`${HOT} ${COLD}`),
      split(`${HOT.replace('i32.const 3', 'i32.const 5')} ${COLD}`),
    ];
    expect(Buffer.compare(fullOf(one), fullOf(two))).not.toBe(0);
    expect(Buffer.compare(primaryOf(one), primaryOf(two))).not.toBe(0);
    expect(withoutIdentity(primaryOf(one))).toBe(withoutIdentity(primaryOf(two)));
  });

  it.each([
    [
      'what a function without native code calls',
      '(func $user (param $x i32) memory.size drop local.get $x call $hot drop)',
      true,
    ],
    [
      'what a function with native code calls',
      '(func $user (param $x i32) local.get $x call $hot drop)',
      false,
    ],
  ])('keeps %s, which V8 may put into that: %s', (_, user, kept) => {
    // Functions that refer to segments stay, hot or not.
    const bound = kept
      ? user.replace('memory.size drop', 'i32.const 0 i32.const 0 i32.const 0 memory.init 0')
      : user;
    const lean = split(
      `(memory 1) (data "a") ${HOT} ${bound} ${COLD}
        (func $other (export "other") (param $x i32) (result i32) ${BODY} local.get $x)`,
      ['hot', 'other', ...(kept ? [] : ['user'])],
    );
    const [primary, full] = [primaryOf(lean), fullOf(lean)].map(sizesOf);
    expect(primary?.['hot'] === full?.['hot']).toBe(kept);
    expect(primary?.['other']).toBeLessThan(full?.['other'] ?? 0);
  });

  it('keeps what is bound to it, and what is as small as a stub', () => {
    const lean = split(
      `(memory 1) (data "a") ${HOT} ${COLD}
        (func $small (export "small") (param $x i32) (result i32) local.get $x)
        (func $init (export "init") (param $x i32) ${BODY} i32.const 0 i32.const 0 i32.const 1 memory.init 0)`,
      ['hot', 'small', 'init'],
    );
    const [primary, full] = [primaryOf(lean), fullOf(lean)].map(sizesOf);
    for (const name of ['small', 'init']) expect(primary?.[name]).toBe(full?.[name]);
    expect(primary?.['hot']).toBeLessThan(full?.['hot'] ?? 0);
  });

  it('is full where it would spare little', () => {
    expect(split(`${HOT} ${COLD}`, ['hot'], 1000).full).toBeUndefined();
    expect(splitText(`(module ${HOT} ${COLD})`, ['hot']).full).toBeUndefined();
  });

  it('has the names of its functions, as the last secondary does', () => {
    const lean = split(`${HOT} ${COLD}`);
    const names = lean.parts.map((part) => [...readModule(part).functionNames().values()]);
    expect(names).toEqual([['hot'], ['cold'], ['hot']]);
  });
});
