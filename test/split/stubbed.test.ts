/** Stubbed primaries: primaries without the bodies of hot functions that native code has. */
import { describe, expect, it } from 'vitest';
import { reassemble } from '../../src/runtime/shared/reassembly-plan.ts';
import { readFunctionBodies } from '../../src/wasm/binary/code.ts';
import { readModule } from '../../src/wasm/binary/module.ts';
import { functionsOf, link, piecesOf, splitText, type SplitText } from './support.ts';

/** More bytes than a stub. */
const BODY = 'local.get $x i32.const 3 i32.mul local.set $x '.repeat(10);
const HOT = `(func $hot (export "hot") (param $x i32) (result i32) ${BODY} local.get $x)`;
const COLD = '(func $cold (export "cold") (param $x i32) (result i32) local.get $x call $hot)';

const split = (fields: string, hot = ['hot'], minStubbedBodies = 0) =>
  splitText(`(module ${fields})`, hot, { minStubbedBodies });

/** The sizes of a module's bodies, by function name. */
function sizesOf(wire: Uint8Array): Record<string, number> {
  const module = readModule(wire);
  const names = module.functionNames();
  const bodies = readFunctionBodies(wire, module);
  return Object.fromEntries(
    bodies.map(({ size }, i) => [names.get(module.importedFunctions + i) ?? String(i), size]),
  );
}

const primaryOf = ({ modules }: SplitText) => modules.at(0) ?? new Uint8Array();
const fullOf = ({ full }: SplitText) => full?.primary ?? new Uint8Array();

function withoutIdentity(wire: Uint8Array): string {
  const last = readModule(wire).sections.at(-1);
  expect(last?.name).toBe('wasm-precompile:module');
  return Buffer.from(wire.subarray(0, last?.start)).toString('hex');
}

const power = (x: number) => Math.imul(x, 3 ** 10);

describe('a stubbed primary', () => {
  it('has stubs instead of bodies, and reassembles to the full primary with the last secondary', async () => {
    const stubbed = split(`${HOT} ${COLD}`);
    const [primary, full] = [primaryOf(stubbed), fullOf(stubbed)];
    expect(stubbed.modules).toHaveLength(3);
    expect(sizesOf(full)['hot']).toBeGreaterThan(sizesOf(primary)['hot'] ?? 0);
    expect(sizesOf(full)['cold']).toBe(sizesOf(primary)['cold']);
    const bodies = stubbed.modules.at(-1) ?? new Uint8Array();
    const plan = stubbed.full?.plan ?? new Uint8Array();
    expect(Buffer.compare(reassemble([primary, bodies], plan), full)).toBe(0);
    expect(Buffer.compare(reassemble(piecesOf(stubbed), stubbed.plan), stubbed.original)).toBe(0);

    const { create, loaded } = link(stubbed);
    const { hot, cold } = functionsOf(await create());
    expect([hot?.(5), cold?.(6)]).toEqual([power(5), power(6)]);
    // There is no native code here, so V8 calls the stubs.
    expect(loaded.map(([secondary]) => secondary)).toEqual([2, 1]);
  });

  it('has a full primary that works without the last secondary', async () => {
    const stubbed = split(`${HOT} ${COLD}`);
    const { create, loaded } = link({ modules: [fullOf(stubbed), ...stubbed.modules.slice(1)] });
    const { hot, cold } = functionsOf(await create());
    expect([hot?.(5), cold?.(6)]).toEqual([power(5), power(6)]);
    expect(loaded.map(([secondary]) => secondary)).toEqual([1]);
  });

  it('identifies its module, because V8 shares native code between modules with the same bytes', () => {
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
      'a function that one without native code calls',
      '(func $user (param $x i32) memory.size drop local.get $x call $hot drop)',
      true,
    ],
    [
      'a function that one with native code calls',
      '(func $user (param $x i32) local.get $x call $hot drop)',
      false,
    ],
  ])('keeps the body of %s, which V8 may inline there: %s', (_, user, kept) => {
    // A function that refers to segments stays in the primary even if it is not hot.
    const bound = kept
      ? user.replace('memory.size drop', 'i32.const 0 i32.const 0 i32.const 0 memory.init 0')
      : user;
    const stubbed = split(
      `(memory 1) (data "a") ${HOT} ${bound} ${COLD}
        (func $other (export "other") (param $x i32) (result i32) ${BODY} local.get $x)`,
      ['hot', 'other', ...(kept ? [] : ['user'])],
    );
    const [primary, full] = [primaryOf(stubbed), fullOf(stubbed)].map(sizesOf);
    expect(primary?.['hot'] === full?.['hot']).toBe(kept);
    expect(primary?.['other']).toBeLessThan(full?.['other'] ?? 0);
  });

  it('keeps the bodies of bound functions, and bodies as small as a stub', () => {
    const stubbed = split(
      `(memory 1) (data "a") ${HOT} ${COLD}
        (func $small (export "small") (param $x i32) (result i32) local.get $x)
        (func $init (export "init") (param $x i32) ${BODY} i32.const 0 i32.const 0 i32.const 1 memory.init 0)`,
      ['hot', 'small', 'init'],
    );
    const [primary, full] = [primaryOf(stubbed), fullOf(stubbed)].map(sizesOf);
    for (const name of ['small', 'init']) expect(primary?.[name]).toBe(full?.[name]);
    expect(primary?.['hot']).toBeLessThan(full?.['hot'] ?? 0);
  });

  it('is not made if it would save little', () => {
    expect(split(`${HOT} ${COLD}`, ['hot'], 1000).full).toBeUndefined();
    expect(splitText(`(module ${HOT} ${COLD})`, ['hot']).full).toBeUndefined();
  });

  it('has the names of its functions, as the last secondary has', () => {
    const stubbed = split(`${HOT} ${COLD}`);
    const names = stubbed.modules.map((module) => [...readModule(module).functionNames().values()]);
    expect(names).toEqual([['hot'], ['cold'], ['hot']]);
  });
});
