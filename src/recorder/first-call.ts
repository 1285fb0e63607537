/**
 * Measures when the first call of an instance's function begins and ends. The program gets proxies of the
 * exported functions. The WebAssembly API accepts only real exported functions, so the hooks here replace a
 * proxy by its original.
 */
import { constructing, replace, replaceIn } from './webassembly-hooks.ts';

/** Originals by their proxy: exported functions, and the exports of instances. */
const originals = new WeakMap<object, object>();

/** Returns the original of a proxy, and any other value unchanged. */
function unwrap(value: unknown): unknown {
  return (typeof value === 'function' || (typeof value === 'object' && value !== null)) &&
    originals.has(value)
    ? originals.get(value)
    : value;
}

function unwrapAll(values: unknown[]): unknown[] {
  return values.some((value) => typeof value === 'function') ? values.map(unwrap) : values;
}

/**
 * Replaces an instance's exported functions by proxies.
 *
 * @param returned called once, when the first call has returned or thrown, with the name of the export and when
 *   the call began and ended, in milliseconds of `performance.now`
 * @returns false if the instance exports no function
 */
export function watchFirstCall(
  instance: WebAssembly.Instance,
  returned: (name: string, start: number, end: number) => void,
): boolean {
  const { exports } = instance;
  let state: 'uncalled' | 'running' | 'done' = 'uncalled';
  const watched = Object.create(null) as Record<string, unknown>;
  let functions = 0;
  for (const [name, value] of Object.entries(exports)) {
    watched[name] = value;
    if (typeof value !== 'function') continue;
    functions += 1;
    const proxy = new Proxy(value, {
      apply(target, receiver: unknown, args: unknown[]): unknown {
        const originalArgs = unwrapAll(args);
        if (state !== 'uncalled') return Reflect.apply(target, receiver, originalArgs);
        state = 'running';
        const start = performance.now();
        try {
          return Reflect.apply(target, receiver, originalArgs);
        } finally {
          state = 'done';
          returned(name, start, performance.now());
        }
      },
    });
    originals.set(proxy, value);
    watched[name] = proxy;
  }
  if (functions === 0) return false;
  originals.set(watched, exports);
  Object.defineProperty(instance, 'exports', { configurable: true, value: Object.freeze(watched) });
  return true;
}

/** Returns an import object that gives the engine the original functions. It reads nothing before the engine does. */
export function unwrapImports(imports: unknown): unknown {
  if (typeof imports !== 'object' || imports === null) return imports;
  return view(imports, (module) => {
    const original = unwrap(module);
    const isObject = typeof original === 'object' || typeof original === 'function';
    return isObject && original !== null && original === module ? view(original, unwrap) : original;
  });
}

/** Creates a proxy of an empty object, because a proxy of a frozen object must return that object's own values. */
function view(object: object, change: (value: unknown) => unknown): object {
  return new Proxy(Object.create(null) as object, {
    get: (_, key) => change(Reflect.get(object, key)),
  });
}

function unwrapping(original: (...args: unknown[]) => unknown): (...args: unknown[]) => unknown {
  return new Proxy(original, {
    apply: (target, receiver: unknown, args: unknown[]) => Reflect.apply(target, receiver, unwrapAll(args)),
  });
}

/** Installs the hooks on everything besides imports that accepts exported functions. */
export function installUnwrapping(): void {
  for (const name of ['Table', 'Global']) {
    replace(name, (original) =>
      constructing(original, (construct, args) => {
        args.splice(0, args.length, ...unwrapAll(args));
        return construct();
      }),
    );
  }
  replace('promising', unwrapping);
  const { Table, Global } = WebAssembly;
  replaceIn(Table.prototype, 'set', unwrapping);
  replaceIn(Table.prototype, 'grow', unwrapping);
  replaceIn(Global.prototype, 'value', unwrapping, 'set');
}
