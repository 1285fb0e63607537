/** Instances of split modules, as a program sees them. */
import { beforeAll, describe, expect, it } from 'vitest';
import { intercept } from '../../src/runtime/shared/link.ts';
import { functionsOf, link, splitText } from './support.ts';

const TEXT = `(module
  (import "host" "add" (func $add (param i32 i32) (result i32)))
  (import "host" "base" (global $base i32))
  (memory (export "memory") 1)
  (table $table (export "table") 2 funcref)
  (global $count (export "count") (mut i32) (i32.const 0))
  (elem (i32.const 0) $cold)
  (func $hot (export "hot") (result i32) global.get $base call $cold)
  (func $cold (export "cold") (param i32) (result i32)
    global.get $count i32.const 1 i32.add global.set $count
    local.get 0 global.get $count call $add))`;

const sum = (a: number, b: number) => a + b;
const importsOf = (add = sum, base = 1000) => ({ host: { add, base } });

const failureOf = async (attempt: Promise<unknown>) =>
  attempt.then(
    () => 'it works',
    (error: unknown) => String(error),
  );

/** Names of wasm functions in the trace of an error that a function throws. */
function traceOf(call: () => unknown): string[] {
  try {
    call();
  } catch (error) {
    const { stack = '' } = error as Error;
    return [...stack.matchAll(/at (\w+) \(wasm:/g)].map(([, name = '']) => name);
  }
  throw new Error('it throws nothing');
}

describe('an instance of a split module', () => {
  it('has the same exports as the original, in the same order, frozen', async () => {
    const split = splitText(TEXT, ['hot']);
    const original = await WebAssembly.instantiate(new WebAssembly.Module(split.original), importsOf());
    const instance = await link(split).create(importsOf());
    expect(Object.keys(instance.exports)).toEqual(Object.keys(original.exports));
    expect(Object.isFrozen(instance.exports)).toBe(true);
    expect(Object.getPrototypeOf(instance.exports)).toBeNull();
    expect(Object.keys(instance)).toEqual(Object.keys(original));
    expect(instance).toBeInstanceOf(WebAssembly.Instance);
    expect(Object.getOwnPropertyDescriptors(instance.exports)['hot']).toMatchObject({
      enumerable: true,
      writable: false,
      configurable: false,
    });
    for (const [name, value] of Object.entries(original.exports)) {
      const own = instance.exports[name];
      expect(Object.prototype.toString.call(own)).toBe(Object.prototype.toString.call(value));
      if (typeof value === 'function') {
        expect([(own as typeof value).name, (own as typeof value).length]).toEqual([
          value.name,
          value.length,
        ]);
      }
    }
  });

  it('has the same function in tables and exports, before and after its secondary is loaded', async () => {
    const instance = await link(splitText(TEXT, ['hot'])).create(importsOf());
    const { cold } = instance.exports;
    const table = instance.exports['table'] as WebAssembly.Table;
    expect(table.get(0)).toBe(cold);
    functionsOf(instance)['hot']?.();
    expect(table.get(0)).toBe(cold);
    expect(instance.exports['cold']).toBe(cold);
  });

  it('has its own state', async () => {
    const linked = link(splitText(TEXT, ['hot']));
    const first = functionsOf(await linked.create(importsOf()));
    const second = functionsOf(await linked.create(importsOf((a, b) => a * b, 2000)));
    expect([first['hot']?.(), first['hot']?.(), second['hot']?.(), first['hot']?.()]).toEqual([
      1001, 1002, 2000, 1003,
    ]);
    // Each instance has its own secondary.
    expect(linked.loaded).toHaveLength(2);
  });

  it('keeps its imports if a program changes the import object', async () => {
    const imports = importsOf();
    const { hot } = functionsOf(await link(splitText(TEXT, ['hot'])).create(imports));
    imports.host.add = () => 0;
    Object.assign(imports, { host: undefined });
    expect(hot?.()).toBe(1001);
  });

  it('reads imports once', async () => {
    let reads = 0;
    const host = {
      get add() {
        reads++;
        return sum;
      },
      base: 0,
    };
    const { hot } = functionsOf(await link(splitText(TEXT, ['hot'])).create({ host }));
    hot?.();
    expect(reads).toBe(1);
  });

  it.each([
    ['nothing', undefined],
    ['no module', {}],
    ['no function', { host: { base: 1 } }],
    ['another kind', { host: { add: 1, base: 1 } }],
  ])('is rejected with the same message for imports with %s', async (_, imports) => {
    const split = splitText(TEXT, ['hot']);
    const given = imports as WebAssembly.Imports;
    const original = await failureOf(WebAssembly.instantiate(new WebAssembly.Module(split.original), given));
    expect(await failureOf(link(split).create(given))).toBe(original);
    expect(original).toMatch(/Error/);
  });

  it('throws at the call if a secondary cannot be loaded, and tries again at the next call', async () => {
    let failures = 2;
    const linked = link(splitText(TEXT, ['hot']), () => {
      if (failures-- > 0) throw new Error('not there');
      return undefined;
    });
    const { hot, cold } = functionsOf(await linked.create(importsOf()));
    expect(() => hot?.()).toThrow('not there');
    expect(() => cold?.(1)).toThrow('not there');
    expect([hot?.(), hot?.()]).toEqual([1001, 1002]);
    expect(linked.loaded).toHaveLength(3);
  });

  it('rejects if the start function traps, and reports the function that was called', async () => {
    const split = splitText(
      '(module (func $start unreachable) (func $other (export "other")) (start $start))',
      ['other'],
    );
    const linked = link(split);
    await expect(linked.create()).rejects.toThrow(WebAssembly.RuntimeError);
    expect(linked.loaded).toEqual([[1, 0]]);
  });

  it('has the same names in stack traces, without stubs', async () => {
    const text = `(module
      (import "host" "fail" (func $fail))
      (func $outer (export "outer") call $middle)
      (func $middle call $inner)
      (func $inner call $fail))`;
    const imports = {
      host: {
        fail: () => {
          throw new Error('from the host');
        },
      },
    };
    const split = splitText(text, ['outer', 'inner']);
    const instance = await link(split).create(imports);
    expect(traceOf(() => functionsOf(instance)['outer']?.())).toEqual(['inner', 'middle', 'outer']);
  });
});

describe('after interception', () => {
  const natives = { ...Object.getOwnPropertyDescriptors(WebAssembly) };
  beforeAll(() => {
    intercept();
    intercept();
  });

  it.each([
    [
      'new WebAssembly.Instance',
      (module: WebAssembly.Module, imports: WebAssembly.Imports) => new WebAssembly.Instance(module, imports),
    ],
    [
      'WebAssembly.instantiate',
      (module: WebAssembly.Module, imports: WebAssembly.Imports) => WebAssembly.instantiate(module, imports),
    ],
    [
      'a subclass',
      (module: WebAssembly.Module, imports: WebAssembly.Imports) =>
        new (class Own extends WebAssembly.Instance {})(module, imports),
    ],
  ])('%s creates instances of the whole module', async (_, create) => {
    const linked = link(splitText(TEXT, ['hot']));
    const instance = await create(linked.primary, importsOf());
    expect(instance).toBeInstanceOf(WebAssembly.Instance);
    expect(Object.keys(instance.exports)).toEqual(['memory', 'table', 'count', 'hot', 'cold']);
    expect(functionsOf(instance)['hot']?.()).toBe(1001);
    expect(linked.loaded).toHaveLength(1);
  });

  it('WebAssembly.Module.exports returns the exports of the original module', () => {
    const split = splitText(TEXT, ['hot']);
    const { primary } = link(split);
    const original = new WebAssembly.Module(split.original);
    expect(WebAssembly.Module.exports(primary)).toEqual(WebAssembly.Module.exports(original));
    expect(WebAssembly.Module.imports(primary)).toEqual(WebAssembly.Module.imports(original));
    expect(WebAssembly.Module.customSections(primary, 'name')).toHaveLength(1);
  });

  it('other modules and arguments behave as before', async () => {
    const bytes = splitText(TEXT, ['hot']).original;
    const { instance, module } = await WebAssembly.instantiate(bytes, importsOf());
    expect(Object.keys(instance)).toEqual([]);
    expect(module).toBeInstanceOf(WebAssembly.Module);
    expect(instance.constructor).toBe(WebAssembly.Instance);
    expect(() => Reflect.apply(WebAssembly.Instance, undefined, [module])).toThrow(TypeError);
    expect(() => new WebAssembly.Instance({} as WebAssembly.Module)).toThrow(
      'WebAssembly.Instance(): Argument 0 must be a WebAssembly.Module',
    );
    await expect(WebAssembly.instantiate({} as WebAssembly.Module)).rejects.toThrow(TypeError);
    for (const name of ['Instance', 'instantiate'] as const) {
      const now = Object.getOwnPropertyDescriptor(WebAssembly, name);
      expect({ ...now, value: undefined }).toEqual({ ...natives[name], value: undefined });
      expect(WebAssembly[name].name).toBe(name);
      expect(WebAssembly[name]).toHaveLength(1);
    }
  });
});
