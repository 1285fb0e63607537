/**
 * Makes instances of split modules whole, in Node and in browsers: when the primary is instantiated, its hook gets a function
 * that brings in a secondary at the first call of a function in it. Then its start function runs. What the primary exports and
 * imports for that is hidden. How a module is split: src/wasm/split/split.ts.
 */
import { absentExport, HOOK_EXPORT, MEMORY_IMPORT, SPLIT, START_EXPORT } from './split-names.ts';

/** Gives the module of a secondary. Called at each instance's first call of a function in it, with the index of that. */
export type LoadSecondary = (part: number, calledFunction: number) => WebAssembly.Module;

/** How instances of a primary are made whole. */
export interface Split {
  load: LoadSecondary;
  /** Told of each instance, before anything of it runs. */
  instantiated?: () => void;
  /** Makes the memory of an instance, where the primary imports it. */
  createMemory?: (() => WebAssembly.Memory) | undefined;
}

/** By the modules that others may hold. */
const primaries = new WeakMap<WebAssembly.Module, Split>();

/** As they are, whoever replaces them later. */
const { Instance, Module, instantiate: instantiateNative } = WebAssembly;

/**
 * A table takes only functions of wasm: this is one that passes its parameters on.
 *
 *   (module (import "" "" (func (param i32 i32)))
 *     (func (export "") (param i32 i32) local.get 0 local.get 1 call 0))
 */
// prettier-ignore
export const TRAMPOLINE = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 2, 127, 127, 0, 2, 5, 1, 0, 0, 0, 0, 3, 2, 1, 0, 7, 4, 1, 0, 0, 1, 10, 10, 1, 8, 0,
  32, 0, 32, 1, 16, 0, 11,
);

let helper: WebAssembly.Module | undefined;

/** Has instances of a primary made whole, where {@link instantiate} makes them, or everywhere after {@link intercept}. */
export function adopt(primary: WebAssembly.Module, split: Split): void {
  primaries.set(primary, split);
}

/** The same for a copy of a primary, as `structuredClone` makes them. */
export function adoptCopy(copy: WebAssembly.Module, primary: WebAssembly.Module): void {
  const split = primaries.get(primary);
  if (split) primaries.set(copy, split);
}

export function isPrimary(value: unknown): value is WebAssembly.Module {
  return primaries.has(value as WebAssembly.Module);
}

/** `WebAssembly.instantiate` for a module, which may be a primary. */
export async function instantiate(
  module: WebAssembly.Module,
  imports?: WebAssembly.Imports,
): Promise<WebAssembly.Instance> {
  const split = primaries.get(module);
  if (!split) return instantiateNative(module, imports);
  const taken = takeImports(module, imports);
  return complete(await instantiateNative(module, taken ? withMemory(taken, split) : imports), taken, split);
}

/**
 * What was imported, for the secondaries: they get the same values, whatever becomes of the objects that had them.
 * Undefined where something is wrong with these, as V8 will say.
 */
function takeImports(
  module: WebAssembly.Module,
  imports: WebAssembly.Imports | undefined,
): WebAssembly.Imports | undefined {
  const taken: WebAssembly.Imports = Object.create(null);
  for (const { module: from, name } of Module.imports(module)) {
    // That of the memory, which is the last one.
    if (from === SPLIT) continue;
    const values = imports?.[from];
    if (!values || !/object|function/.test(typeof values)) return undefined;
    (taken[from] ??= Object.create(null) as WebAssembly.ModuleImports)[name] = values[
      name
    ] as WebAssembly.ImportValue;
  }
  return taken;
}

function withMemory(taken: WebAssembly.Imports, { createMemory }: Split): WebAssembly.Imports {
  return createMemory ? { ...taken, [SPLIT]: { [MEMORY_IMPORT]: createMemory() } } : taken;
}

function complete(
  instance: WebAssembly.Instance,
  imports: WebAssembly.Imports | undefined,
  { load, instantiated }: Split,
): WebAssembly.Instance {
  const { exports } = instance;
  const linked = { ...imports, [SPLIT]: exports };
  const bringIn = (part: number, calledFunction: number) => {
    // Its instantiation puts its functions into the table.
    void new Instance(load(part, calledFunction), linked);
    (exports[absentExport(part)] as WebAssembly.Global).value = 0;
  };
  helper ??= new Module(TRAMPOLINE);
  const { '': hook } = new Instance(helper, { '': { '': bringIn } }).exports;
  (exports[HOOK_EXPORT] as WebAssembly.Table).set(0, hook);
  const own = Object.entries(exports).filter(([name]) => !isAdded(name));
  const visible = Object.freeze(Object.assign(Object.create(null), Object.fromEntries(own)));
  Object.defineProperty(instance, 'exports', { value: visible });
  instantiated?.();
  (exports[START_EXPORT] as (() => void) | undefined)?.();
  return instance;
}

function isAdded(name: string): boolean {
  return name.startsWith(`${SPLIT}:`);
}

let intercepted = false;

/**
 * From now on instances of primaries are whole, whoever makes them with the functions of `WebAssembly` in this realm.
 *
 * @returns false where these cannot be replaced (`--frozen-intrinsics`)
 */
export function intercept(): boolean {
  try {
    if (!intercepted) replaceAll();
    intercepted = true;
  } catch {
    // None of them is: it is the first one that fails.
  }
  return intercepted;
}

function replaceAll(): void {
  const current = WebAssembly;
  replace(current, 'instantiate', {
    apply: (target, self, args) =>
      isPrimary(args[0])
        ? instantiate(args[0], args[1] as WebAssembly.Imports)
        : Reflect.apply(target, self, args),
  });
  replace(current, 'Instance', {
    construct(target, args, newTarget) {
      const split = primaries.get(args[0] as WebAssembly.Module);
      if (!split) return Reflect.construct(target, args, newTarget) as object;
      const [module, imports] = args as [WebAssembly.Module, WebAssembly.Imports];
      const taken = takeImports(module, imports);
      const instance = Reflect.construct(
        target,
        [module, taken ? withMemory(taken, split) : imports],
        newTarget,
      ) as WebAssembly.Instance;
      return complete(instance, taken, split);
    },
  });
  current.Instance.prototype.constructor = current.Instance;
  replace(current.Module, 'exports', {
    apply(target, self, args) {
      const all = Reflect.apply(target, self, args) as WebAssembly.ModuleExportDescriptor[];
      return isPrimary(args[0]) ? all.filter(({ name }) => !isAdded(name)) : all;
    },
  });
  replace(current.Module, 'imports', {
    apply(target, self, args) {
      const all = Reflect.apply(target, self, args) as WebAssembly.ModuleImportDescriptor[];
      return isPrimary(args[0]) ? all.filter(({ module }) => module !== SPLIT) : all;
    },
  });
}

/** Puts a proxy in the place of a function, which stays what it was in all that can be seen of it. */
export function replace<Name extends string, Target extends Function>(
  owner: Record<Name, Target>,
  name: Name,
  handler: ProxyHandler<Target>,
): void {
  const descriptor = Object.getOwnPropertyDescriptor(owner, name);
  Object.defineProperty(owner, name, { ...descriptor, value: new Proxy(owner[name], handler) });
}
