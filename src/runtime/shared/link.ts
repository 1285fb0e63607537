/**
 * Links instances of split modules, in Node and in browsers. When the primary is instantiated, its hook gets a
 * function that loads a secondary at the first call of a function in it. Then the original start function runs. The
 * exports and imports that the build added to the primary are hidden. How a module is split: src/wasm/split/split.ts.
 */
import { absentExport, HOOK_EXPORT, MEMORY_IMPORT, SPLIT, START_EXPORT } from './split-names.ts';

/**
 * Returns the module of a secondary. Called at each instance's first call of a function in it, with the index of that
 * function.
 */
export type LoadSecondary = (secondary: number, calledFunction: number) => WebAssembly.Module;

/** What instances of a primary need. */
export interface PrimaryHooks {
  loadSecondary: LoadSecondary;
  /** Called for each instance, before any of its code runs. */
  onInstantiated?: () => void;
  /** Creates the memory of an instance, if the primary imports it. */
  createMemory?: (() => WebAssembly.Memory) | undefined;
}

/** The keys are modules that user code may hold. */
const primaries = new WeakMap<WebAssembly.Module, PrimaryHooks>();

/** Captured before user code can replace them. */
const { Instance, Module, instantiate: instantiateNative } = WebAssembly;

/**
 * A table only takes functions of wasm. The function of this trampoline module passes its parameters on to a
 * JavaScript function.
 *
 *   (module (import "" "" (func (param i32 i32)))
 *     (func (export "") (param i32 i32) local.get 0 local.get 1 call 0))
 */
// prettier-ignore
export const TRAMPOLINE_MODULE = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 2, 127, 127, 0, 2, 5, 1, 0, 0, 0, 0, 3, 2, 1, 0, 7, 4, 1, 0, 0, 1, 10, 10, 1, 8, 0,
  32, 0, 32, 1, 16, 0, 11,
);

let trampoline: WebAssembly.Module | undefined;

/** Links instances of a primary that {@link instantiate} makes, or all of them after {@link intercept}. */
export function registerPrimary(primary: WebAssembly.Module, hooks: PrimaryHooks): void {
  primaries.set(primary, hooks);
}

/** Registers a copy of a primary, as `structuredClone` makes them. */
export function registerPrimaryCopy(copy: WebAssembly.Module, primary: WebAssembly.Module): void {
  const hooks = primaries.get(primary);
  if (hooks) primaries.set(copy, hooks);
}

export function isPrimary(value: unknown): value is WebAssembly.Module {
  return primaries.has(value as WebAssembly.Module);
}

/** `WebAssembly.instantiate` for a module that may be a primary. */
export async function instantiate(
  module: WebAssembly.Module,
  imports?: WebAssembly.Imports,
): Promise<WebAssembly.Instance> {
  const hooks = primaries.get(module);
  if (!hooks) return instantiateNative(module, imports);
  const values = readImports(module, imports);
  return link(await instantiateNative(module, values ? withMemory(values, hooks) : imports), values, hooks);
}

/**
 * Reads the imported values, so that the secondaries get the same ones even if user code changes the import object
 * later.
 *
 * @returns undefined if an import is invalid: V8 then throws the error for it
 */
function readImports(
  module: WebAssembly.Module,
  imports: WebAssembly.Imports | undefined,
): WebAssembly.Imports | undefined {
  const values: WebAssembly.Imports = Object.create(null);
  for (const { module: from, name } of Module.imports(module)) {
    // The memory, which the build added as the last import.
    if (from === SPLIT) continue;
    const given = imports?.[from];
    if (!given || !/object|function/.test(typeof given)) return undefined;
    (values[from] ??= Object.create(null) as WebAssembly.ModuleImports)[name] = given[
      name
    ] as WebAssembly.ImportValue;
  }
  return values;
}

function withMemory(imports: WebAssembly.Imports, { createMemory }: PrimaryHooks): WebAssembly.Imports {
  return createMemory ? { ...imports, [SPLIT]: { [MEMORY_IMPORT]: createMemory() } } : imports;
}

function link(
  instance: WebAssembly.Instance,
  imports: WebAssembly.Imports | undefined,
  { loadSecondary, onInstantiated }: PrimaryHooks,
): WebAssembly.Instance {
  const { exports } = instance;
  const secondaryImports = { ...imports, [SPLIT]: exports };
  const instantiateSecondary = (secondary: number, calledFunction: number) => {
    // The instantiation writes the functions of the secondary into the table.
    void new Instance(loadSecondary(secondary, calledFunction), secondaryImports);
    (exports[absentExport(secondary)] as WebAssembly.Global).value = 0;
  };
  trampoline ??= new Module(TRAMPOLINE_MODULE);
  const { '': hook } = new Instance(trampoline, { '': { '': instantiateSecondary } }).exports;
  (exports[HOOK_EXPORT] as WebAssembly.Table).set(0, hook);
  const own = Object.entries(exports).filter(([name]) => !isAdded(name));
  const visible = Object.freeze(Object.assign(Object.create(null), Object.fromEntries(own)));
  Object.defineProperty(instance, 'exports', { value: visible });
  onInstantiated?.();
  (exports[START_EXPORT] as (() => void) | undefined)?.();
  return instance;
}

/** Returns whether the build added this export to the primary. */
function isAdded(name: string): boolean {
  return name.startsWith(`${SPLIT}:`);
}

let intercepted = false;

/**
 * Links all instances of primaries from now on, with whichever function of this realm's `WebAssembly` user code makes
 * them.
 *
 * @returns false if these functions cannot be replaced (`--frozen-intrinsics`)
 */
export function intercept(): boolean {
  try {
    if (!intercepted) replaceAll();
    intercepted = true;
  } catch {
    // The first replacement fails, so no function is replaced.
  }
  return intercepted;
}

function replaceAll(): void {
  // The global object, even in the register file (node/register/engine.ts).
  const current = globalThis.WebAssembly;
  replace(current, 'instantiate', {
    apply: (target, self, args) =>
      isPrimary(args[0])
        ? instantiate(args[0], args[1] as WebAssembly.Imports)
        : Reflect.apply(target, self, args),
  });
  replace(current, 'Instance', {
    construct(target, args, newTarget) {
      const hooks = primaries.get(args[0] as WebAssembly.Module);
      if (!hooks) return Reflect.construct(target, args, newTarget) as object;
      const [module, imports] = args as [WebAssembly.Module, WebAssembly.Imports];
      const values = readImports(module, imports);
      const instance = Reflect.construct(
        target,
        [module, values ? withMemory(values, hooks) : imports],
        newTarget,
      ) as WebAssembly.Instance;
      return link(instance, values, hooks);
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

/** Replaces a function by a proxy. Everything that user code can observe of the function stays the same. */
export function replace<Name extends string, Target extends Function>(
  owner: Record<Name, Target>,
  name: Name,
  handler: ProxyHandler<Target>,
): void {
  const descriptor = Object.getOwnPropertyDescriptor(owner, name);
  Object.defineProperty(owner, name, { ...descriptor, value: new Proxy(owner[name], handler) });
}
