/**
 * Replaces the functions that compile and instantiate WebAssembly by proxies. Names, lengths, static methods and
 * prototypes stay the same, results are the original objects, and errors are those of the engine.
 */

/** Callbacks of the hooks. They must not throw. */
export interface Observer {
  /**
   * Called before bytes are compiled.
   * @param instantiates whether the same call also instantiates the module
   * @returns the first argument of the later call of `compiled`
   */
  compiling(
    bytes: Uint8Array,
    options: unknown,
    from: { url?: string; instantiates: boolean },
  ): object | undefined;
  compiled(compilation: object, module: WebAssembly.Module): void;
  /** @returns the import object for the engine, instead of the program's */
  imports?(imports: unknown): unknown;
  /** Called before each instantiation, also of one that fails. */
  instantiating(module: WebAssembly.Module): void;
  instantiated(module: WebAssembly.Module, instance: WebAssembly.Instance): void;
}

/** Captured before the program can replace them. */
export const { Module, Instance, Memory, Table, Global } = WebAssembly;

type Result = WebAssembly.WebAssemblyInstantiatedSource;

/** Installs the proxies in `WebAssembly`, for all code in this thread's main context. */
export function installHooks(observer: Observer): void {
  replace('Module', (original) =>
    constructing(original, (construct, [source, options]) => {
      const compilation = capture(source, options);
      const module = construct() as WebAssembly.Module;
      if (compilation) observer.compiled(compilation, module);
      return module;
    }),
  );
  replace('Instance', (original) =>
    constructing(original, (construct, args) => {
      const [module] = args;
      changeImports(args);
      if (module instanceof Module) observer.instantiating(module);
      const instance = construct() as WebAssembly.Instance;
      observer.instantiated(module as WebAssembly.Module, instance);
      return instance;
    }),
  );
  replace('compile', (original) =>
    calling(original, (call, [source, options]) => {
      const compilation = capture(source, options);
      const promise = call() as Promise<WebAssembly.Module>;
      return compilation
        ? observeResult(promise, (module) => observer.compiled(compilation, module))
        : promise;
    }),
  );
  replace('instantiate', (original) =>
    calling(original, (call, args) => {
      const [source, , options] = args;
      changeImports(args);
      if (source instanceof Module) {
        observer.instantiating(source);
        return observeResult(call() as Promise<WebAssembly.Instance>, (instance) =>
          observer.instantiated(source, instance),
        );
      }
      const compilation = capture(source, options, { instantiates: true });
      const promise = call() as Promise<Result>;
      return compilation ? observeResult(promise, (result) => complete(compilation, result)) : promise;
    }),
  );
  replace('compileStreaming', (original) =>
    calling(original, (call, [source, options]) => {
      const { response, captured } = tee(source, options, false);
      return observeResult(call(response) as Promise<WebAssembly.Module>, async (module) => {
        const compilation = await captured;
        if (compilation) observer.compiled(compilation, module);
      });
    }),
  );
  replace('instantiateStreaming', (original) =>
    calling(original, (call, args) => {
      const [source, , options] = args;
      changeImports(args);
      const { response, captured } = tee(source, options, true);
      return observeResult(call(response) as Promise<Result>, async (result) => {
        const compilation = await captured;
        if (compilation) complete(compilation, result);
      });
    }),
  );

  function complete(compilation: object, { module, instance }: Result): void {
    observer.compiled(compilation, module);
    observer.instantiated(module, instance);
  }

  /** @param args arguments of the call, before it is made */
  function changeImports(args: unknown[]): void {
    if (observer.imports && args.length > 1) args[1] = observer.imports(args[1]);
  }

  function capture(
    source: unknown,
    options: unknown,
    from: { url?: string; instantiates: boolean } = { instantiates: false },
  ): object | undefined {
    const bytes = viewOf(source);
    return bytes && observer.compiling(bytes, options, from);
  }

  /** Returns the response for the engine, and the compilation of a copy of its bytes. */
  function tee(source: unknown, options: unknown, instantiates: boolean) {
    const teed = Promise.resolve(source).then((value: unknown) => {
      if (!isCloneable(value)) return { value };
      const { url } = value;
      const from = { instantiates, ...(url && { url }) };
      const bytes = value.clone().arrayBuffer();
      return { value, compilation: bytes.then((buffer) => capture(buffer, options, from)) };
    });
    const response = teed.then(({ value }) => value);
    // The engine reads the same bytes, and reports what is wrong with them.
    const captured = teed.then(({ compilation }) => compilation).catch(() => undefined);
    return { response, captured };
  }
}

function isCloneable(value: unknown): value is Response {
  return (
    typeof value === 'object' &&
    value !== null &&
    'clone' in value &&
    typeof value.clone === 'function' &&
    'bodyUsed' in value &&
    value.bodyUsed === false &&
    // The engine rejects other responses, so they need no copy.
    'ok' in value &&
    value.ok === true
  );
}

function viewOf(source: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  const shared = typeof SharedArrayBuffer === 'function' && source instanceof SharedArrayBuffer;
  if (source instanceof ArrayBuffer || shared) return new Uint8Array(source);
  return undefined;
}

const { then } = Promise.prototype;

/**
 * Observes the value of a promise. The program gets the derived promise, so that a rejection without a handler stays
 * unhandled.
 */
function observeResult<Value>(promise: Promise<Value>, observe: (value: Value) => unknown): Promise<Value> {
  return Reflect.apply(then, promise, [
    (value: Value) => {
      const observed = observe(value);
      return observed instanceof Promise ? Reflect.apply(then, observed, [() => value]) : value;
    },
  ]) as Promise<Value>;
}

type AnyFunction = (...args: unknown[]) => unknown;

/** Replaces a function of `WebAssembly`, if it exists. */
export function replace(name: string, wrap: (original: AnyFunction) => AnyFunction): void {
  replaceIn(WebAssembly, name, wrap);
}

export function replaceIn(
  object: object,
  name: string,
  wrap: (original: AnyFunction) => AnyFunction,
  kind: 'value' | 'set' = 'value',
): void {
  const descriptor = Object.getOwnPropertyDescriptor(object, name);
  const original: unknown = descriptor?.[kind];
  if (typeof original !== 'function') return;
  Object.defineProperty(object, name, { ...descriptor, [kind]: wrap(original as AnyFunction) });
}

/** @param around receives the call to make; an argument of that replaces the first argument */
function calling(
  original: AnyFunction,
  around: (call: (first?: unknown) => unknown, args: unknown[]) => unknown,
): AnyFunction {
  return new Proxy(original, {
    apply(target, receiver: unknown, args: unknown[]) {
      const call = (...first: unknown[]) =>
        Reflect.apply(target, receiver, first.length > 0 ? [first[0], ...args.slice(1)] : args);
      return around(call, args);
    },
  });
}

export function constructing(
  original: AnyFunction,
  around: (construct: () => unknown, args: unknown[]) => unknown,
): AnyFunction {
  const proxy: AnyFunction = new Proxy(original, {
    construct(target, args: unknown[], newTarget) {
      const construct = (): unknown =>
        Reflect.construct(target, args, newTarget === proxy ? target : newTarget);
      return around(construct, args) as object;
    },
  });
  const prototype = original.prototype as object;
  Object.defineProperty(prototype, 'constructor', {
    ...Object.getOwnPropertyDescriptor(prototype, 'constructor'),
    value: proxy,
  });
  return proxy;
}
