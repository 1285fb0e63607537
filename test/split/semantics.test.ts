/** A split module computes the same as the original module. */
import { describe, expect, it } from 'vitest';
import { functionsOf, link, splitText } from './support.ts';

type Functions = ReturnType<typeof functionsOf>;

/** Calls the functions of the original module and of its split. Returns both results, and the loaded secondaries. */
async function compare(
  text: string,
  hot: readonly string[],
  run: (functions: Functions, instance: WebAssembly.Instance) => unknown,
  makeImports: (get: () => Functions) => WebAssembly.Imports = () => ({}),
  options: Parameters<typeof splitText>[2] = {},
) {
  const split = splitText(text, hot, options);
  const linked = link(split);
  const results: unknown[] = [];
  for (const create of [
    (imports: WebAssembly.Imports) =>
      WebAssembly.instantiate(new WebAssembly.Module(split.original), imports),
    linked.create,
  ]) {
    let functions: Functions | undefined;
    const get = () => functions ?? {};
    // One after the other, because they share state in the test.
    // oxlint-disable-next-line no-await-in-loop
    const instance = await create(makeImports(get));
    functions = functionsOf(instance);
    results.push(attempt(() => run(functions ?? {}, instance)));
  }
  const [originalResult, splitResult] = results;
  return { original: originalResult, split: splitResult, loaded: linked.loaded };
}

function attempt(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : error;
  }
}

it('recursion across modules goes as deep as in the original, with tail calls in stubs', async () => {
  const { original, split } = await compare(
    `(module
      (global $depth (mut i32) (i32.const 0))
      (func $get (export "depth") (result i32) global.get $depth)
      (func $hot (export "hot") global.get $depth i32.const 1 i32.add global.set $depth call $cold)
      (func $cold global.get $depth i32.const 1 i32.add global.set $depth call $hot))`,
    ['hot', 'get'],
    ({ hot, depth }) => [attempt(() => hot?.()), depth?.()],
  );
  const [failure, depth] = original as [string, number];
  expect(failure).toBe('RangeError: Maximum call stack size exceeded');
  const [ownFailure, ownDepth] = split as [string, number];
  expect(ownFailure).toBe(failure);
  // Calls in stubs would halve it.
  expect(ownDepth).toBeGreaterThan(depth * 0.9);
});

describe.each([true, false])('a split module, with tail calls in stubs: %s', (tailCalls) => {
  const options = { tailCalls };

  it('calls from module to module, back and forth', async () => {
    const { original, split, loaded } = await compare(
      `(module
        (func $hot (export "hot") (param i32) (result i32)
          local.get 0 i32.const 1 i32.add call $cold)
        (func $cold (param i32) (result i32)
          local.get 0 i32.const 10 i32.mul call $leaf)
        (func $leaf (param i32) (result i32) local.get 0 i32.const 5 i32.sub))`,
      ['hot', 'leaf'],
      ({ hot }) => [hot?.(1), hot?.(2), hot?.(-1)],
      undefined,
      options,
    );
    expect(original).toEqual([15, 25, -5]);
    expect(split).toEqual(original);
    expect(loaded).toEqual([[1, 1]]);
  });

  it('calls between secondaries, and loads them one by one', async () => {
    const { original, split, loaded } = await compare(
      `(module
        (func $a (export "a") (result i32) call $b)
        (func $b (result i32) i32.const 1 drop i32.const 2 call $c i32.add)
        (func $c (result i32) i32.const 3 call $d i32.add)
        (func $d (export "d") (result i32) i32.const 40))`,
      ['a'],
      ({ a }) => [a?.(), a?.()],
      undefined,
      { ...options, secondaries: 3 },
    );
    expect(original).toEqual([45, 45]);
    expect(split).toEqual(original);
    expect(loaded.map(([secondary]) => secondary)).toEqual([1, 2, 3]);
  });

  it('traps with the same message in each module', async () => {
    const { original, split } = await compare(
      `(module
        (memory 1)
        (func $div (export "div") (param i32) (result i32) i32.const 1 local.get 0 i32.div_u)
        (func $load (export "load") (result i32) i32.const 70000 i32.load)
        (func $hot (export "hot") unreachable))`,
      ['hot'],
      ({ div, load, hot }) => [
        attempt(() => div?.(0)),
        attempt(() => load?.()),
        attempt(() => hot?.()),
        div?.(1),
      ],
      undefined,
      options,
    );
    expect(original).toEqual([
      'RuntimeError: divide by zero',
      'RuntimeError: memory access out of bounds',
      'RuntimeError: unreachable',
      1,
    ]);
    expect(split).toEqual(original);
  });

  it('throws and catches exceptions across modules', async () => {
    const { original, split, loaded } = await compare(
      `(module
        (tag $own (param i32))
        (func $throw (param i32) local.get 0 throw $own)
        (func $catch (export "catch") (param i32) (result i32)
          (try (result i32) (do local.get 0 call $throw i32.const 0)
            (catch $own i32.const 100 i32.add)))
        (func $coldCatch (export "coldCatch") (param i32) (result i32)
          (try (result i32) (do local.get 0 call $hotThrow i32.const 0)
            (catch $own i32.const 200 i32.add)))
        (func $hotThrow (param i32) local.get 0 throw $own))`,
      ['catch', 'hotThrow'],
      (functions) => [functions['catch']?.(1), functions['coldCatch']?.(2), functions['catch']?.(3)],
      undefined,
      options,
    );
    expect(original).toEqual([101, 202, 103]);
    expect(split).toEqual(original);
    expect(loaded).toHaveLength(1);
  });

  it('does not grow the stack for tail calls between modules', async () => {
    const { original, split } = await compare(
      `(module
        (func $even (export "even") (param i32) (result i32)
          local.get 0 i32.eqz (if (then i32.const 1 return))
          local.get 0 i32.const 1 i32.sub return_call $odd)
        (func $odd (param i32) (result i32)
          local.get 0 i32.eqz (if (then i32.const 0 return))
          local.get 0 i32.const 1 i32.sub return_call $even))`,
      ['even'],
      ({ even }) => [even?.(1_000_000), even?.(1_000_001)],
      undefined,
      options,
    );
    expect(original).toEqual([1, 0]);
    expect(split).toEqual(original);
  });

  it('is reentrant: a hot function calls an import that calls a cold function', async () => {
    const { original, split, loaded } = await compare(
      `(module
        (import "host" "back" (func $back (param i32) (result i32)))
        (func $hot (export "hot") (param i32) (result i32) local.get 0 call $back)
        (func $cold (export "cold") (param i32) (result i32)
          local.get 0 i32.eqz (if (result i32)
            (then i32.const 7)
            (else local.get 0 i32.const 1 i32.sub call $back))))`,
      ['hot'],
      ({ hot }) => hot?.(3),
      (get) => ({ host: { back: (value: number) => get()['cold']?.(value) as number } }),
      options,
    );
    expect(original).toBe(7);
    expect(split).toBe(7);
    expect(loaded).toHaveLength(1);
  });

  it('shares globals, memory that a cold function grows, and tables that both modules change', async () => {
    const { original, split } = await compare(
      `(module
        (type $value (func (result i32)))
        (memory (export "memory") 1)
        (global $count (mut i32) (i32.const 0))
        (global (export "shown") (mut i64) (i64.const 1))
        (table $table 4 funcref)
        (elem (i32.const 0) $one $two)
        (func $one (result i32) i32.const 1)
        (func $two (result i32) i32.const 2)
        (func $grow (export "grow") (param i32) (result i32)
          global.get $count i32.const 1 i32.add global.set $count
          i64.const 9 global.set 1
          local.get 0 memory.grow drop
          i32.const 65536 i32.const 77 i32.store
          memory.size)
        (func $read (export "read") (result i32 i32) i32.const 65536 i32.load global.get $count)
        (func $swap (export "swap") i32.const 2 i32.const 0 table.get $table table.set $table
          i32.const 0 i32.const 1 table.get $table table.set $table)
        (func $call (export "call") (param i32) (result i32)
          local.get 0 call_indirect $table (type $value))
        (func $coldCall (export "coldCall") (param i32) (result i32)
          local.get 0 call_indirect $table (type $value)))`,
      ['read', 'call', 'one'],
      ({ grow, read, swap, call, coldCall }, { exports }) => [
        call?.(0),
        call?.(1),
        grow?.(1),
        read?.(),
        (exports['memory'] as WebAssembly.Memory).buffer.byteLength,
        (exports['shown'] as WebAssembly.Global).value,
        swap?.(),
        call?.(0),
        call?.(2),
        coldCall?.(0),
        attempt(() => coldCall?.(3)),
      ],
      undefined,
      options,
    );
    expect(original).toEqual([
      1,
      2,
      2,
      [77, 1],
      131_072,
      9n,
      undefined,
      2,
      1,
      2,
      expect.stringMatching(/RuntimeError/),
    ]);
    expect(split).toEqual(original);
  });

  it.each([['start'], ['other']])('runs its start function, hot or cold (%s is hot)', async (hot) => {
    const { original, split } = await compare(
      `(module
        (import "host" "log" (func $log (param i32)))
        (global $set (mut i32) (i32.const 0))
        (func $start i32.const 5 call $log i32.const 6 global.set $set call $other)
        (func $other (export "other") i32.const 8 call $log)
        (func $get (export "get") (result i32) global.get $set)
        (start $start))`,
      [hot],
      ({ get }) => get?.(),
      () => ({ host: { log: () => {} } }),
      options,
    );
    expect(original).toBe(6);
    expect(split).toBe(6);
  });

  it('passes vectors and many values', async () => {
    const { original, split } = await compare(
      `(module
        (func $hot (export "hot") (param i64 f32 f64) (result i64 f32 f64)
          local.get 0 local.get 1 local.get 2 i32.const 3 (f32x4.splat (f32.const 2))
          call $cold)
        (func $cold (param i64 f32 f64 i32 v128) (result i64 f32 f64)
          local.get 0 i64.const 1 i64.add
          local.get 1 local.get 4 f32x4.extract_lane 2 f32.mul
          local.get 2 local.get 3 f64.convert_i32_s f64.add))`,
      ['hot'],
      ({ hot }) => hot?.(1n, 1.5, 0.5),
      undefined,
      options,
    );
    expect(original).toEqual([2n, 3, 3.5]);
    expect(split).toEqual(original);
  });

  it('recovers from a stack overflow across modules', async () => {
    const { original, split } = await compare(
      `(module
        (func $hot (export "hot") (param i32) (result i32)
          local.get 0 i32.eqz (if (then i32.const 0 return))
          local.get 0 i32.const 1 i32.sub call $cold i32.const 1 i32.add)
        (func $cold (param i32) (result i32)
          local.get 0 i32.eqz (if (then i32.const 0 return))
          local.get 0 i32.const 1 i32.sub call $hot i32.const 1 i32.add))`,
      ['hot'],
      ({ hot }) => [attempt(() => hot?.(10_000_000)), hot?.(1000)],
      undefined,
      options,
    );
    expect(original).toEqual(['RangeError: Maximum call stack size exceeded', 1000]);
    expect(split).toEqual(original);
  });
});
