/**
 * Finds out when the first call of a function of an instance begins and ends. The program gets proxies of its exported
 * functions, and exports made of these; whatever in WebAssembly takes nothing but genuine exported functions gets them back
 * from here.
 */
import { constructing, replace, replaceIn } from './hooks.ts';

/** By proxy: an exported function, or the exports of an instance. */
const originals = new WeakMap<object, object>();

/** What a proxy stands for; anything else as it is. */
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
 * Puts proxies in the place of an instance's exported functions.
 *
 * @param returned told once, when the first call has returned or thrown: of which export, and when it began and ended, in
 *   milliseconds of `performance.now`
 * @returns false where the instance exports no function
 */
export function watchFirstCall(
  instance: WebAssembly.Instance,
  returned: (name: string, start: number, end: number) => void,
): boolean {
  const { exports } = instance;
  let state: 'waiting' | 'running' | 'done' = 'waiting';
  const watched = Object.create(null) as Record<string, unknown>;
  let functions = 0;
  for (const [name, value] of Object.entries(exports)) {
    watched[name] = value;
    if (typeof value !== 'function') continue;
    functions += 1;
    const proxy = new Proxy(value, {
      apply(target, receiver: unknown, args: unknown[]): unknown {
        const genuine = unwrapAll(args);
        if (state !== 'waiting') return Reflect.apply(target, receiver, genuine);
        state = 'running';
        const start = performance.now();
        try {
          return Reflect.apply(target, receiver, genuine);
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

/** An import object that gives the engine genuine functions. Nothing of it is read before the engine does. */
export function unwrapImports(imports: unknown): unknown {
  if (typeof imports !== 'object' || imports === null) return imports;
  return view(imports, (module) => {
    const genuine = unwrap(module);
    const isObject = typeof genuine === 'object' || typeof genuine === 'function';
    return isObject && genuine !== null && genuine === module ? view(genuine, unwrap) : genuine;
  });
}

/** Proxies of frozen objects may not give other values, so this is one of an object with nothing in it. */
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

/** Whatever takes exported functions, besides imports. */
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
