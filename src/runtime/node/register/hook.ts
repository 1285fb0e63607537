/**
 * The register hook: replaces the functions of `WebAssembly` that compile. A module is recognised by its bytes
 * when the program passes them to the engine. Known bytes become the precompiled module; every other call
 * reaches the engine as it is.
 *
 * What stays as the engine has it: names, lengths, property descriptors, prototypes, `instanceof`,
 * `new.target`, errors, and the order in which getters run. `Function.prototype.toString`, `util.types.isProxy`
 * and stack frames may differ.
 */
import { instantiate, replace } from '../../shared/link.ts';
import { builtin } from '../builtin.ts';
import { bytesOf } from './bytes.ts';
import { customSections } from './custom-sections.ts';
import type { KnownModule } from './known-module.ts';
import { readResponse } from './responses.ts';

type Args = readonly unknown[];
type AnyFunction = (...args: never[]) => unknown;

/** What all copies of this version of the hook share in a thread. */
interface Registry {
  /** By size, in bytes. */
  bySize: Map<number, KnownModule[]>;
  /** Loaded modules whose bytes differ from what the program passed. */
  originals: WeakMap<WebAssembly.Module, () => Uint8Array<ArrayBuffer>>;
}

/**
 * The number changes with {@link Registry} and {@link KnownModule}. Hooks with different numbers work on top of
 * each other.
 */
const REGISTRY = Symbol.for('wasm-precompile.registry.1');

const { apply, construct } = Reflect;
const { types } = builtin('node:util');

/**
 * Recognises modules from now on in this thread.
 *
 * @returns false if the functions of `WebAssembly` cannot be replaced (`--frozen-intrinsics`, `--jitless`)
 */
export function recogniseModules(modules: readonly KnownModule[]): boolean {
  const registry = findRegistry();
  if (!registry) return false;
  for (const known of modules) {
    const others = registry.bySize.get(known.size) ?? [];
    if (!others.some(({ buildId }) => buildId === known.buildId)) {
      registry.bySize.set(known.size, [...others, known]);
    }
  }
  return true;
}

function findRegistry(): Registry | undefined {
  const shared = globalThis as { [REGISTRY]?: Registry };
  if (shared[REGISTRY]) return shared[REGISTRY];
  const registry: Registry = { bySize: new Map(), originals: new WeakMap() };
  try {
    replaceFunctions(registry);
    Object.defineProperty(shared, REGISTRY, { value: registry });
    return registry;
  } catch {
    // Frozen intrinsics: the first replacement fails, so that all functions are still the engine's.
    return undefined;
  }
}

function replaceFunctions(registry: Registry): void {
  const current = (globalThis as unknown as { WebAssembly: Record<string, AnyFunction> }).WebAssembly;
  replace(current, 'Module', moduleHandler(registry, current));
  const { prototype } = WebAssembly.Module;
  Object.defineProperty(prototype, 'constructor', {
    ...Object.getOwnPropertyDescriptor(prototype, 'constructor'),
    value: current['Module'],
  });

  replace(current, 'compile', {
    apply(target, self: unknown, args: Args) {
      const [source, options] = args;
      const known = recognise(registry, source, options);
      const callEngine = () => apply(target, self, args) as unknown;
      return known ? loadOr(registry, known, callEngine) : callEngine();
    },
  });
  replace(current, 'instantiate', {
    apply(target, self: unknown, args: Args) {
      const [source, imports, options] = args;
      const known = mayBeImports(imports) ? recognise(registry, source, options) : undefined;
      const callEngine = () => apply(target, self, args) as unknown;
      return known ? instantiateOr(registry, known, imports, callEngine) : callEngine();
    },
  });

  replace(current, 'compileStreaming', {
    apply(target, self: unknown, args: Args) {
      const [, options] = args;
      return receive(registry, target, self, args, options, (known, callEngine) =>
        loadOr(registry, known, callEngine),
      );
    },
  });
  replace(current, 'instantiateStreaming', {
    apply(target, self: unknown, args: Args) {
      const [, imports, options] = args;
      return receive(
        registry,
        target,
        self,
        args,
        mayBeImports(imports) ? options : imports,
        (known, callEngine) => instantiateOr(registry, known, imports, callEngine),
      );
    },
  });

  replace(WebAssembly.Module as unknown as Record<string, AnyFunction>, 'customSections', {
    apply(target, self: unknown, args: Args) {
      const [module, name] = args;
      const readOriginal = registry.originals.get(module as WebAssembly.Module);
      // The engine throws for a name that is missing or no string.
      return readOriginal && typeof name === 'string'
        ? customSections(readOriginal(), name)
        : (apply(target, self, args) as unknown);
    },
  });
}

function moduleHandler(registry: Registry, current: Record<string, AnyFunction>): ProxyHandler<AnyFunction> {
  return {
    construct(target, args: Args, newTarget: AnyFunction) {
      const [source, options] = args;
      const isOwn = newTarget === current['Module'];
      const known = recognise(registry, source, options);
      // A subclass may have a getter here. It runs before the engine compiles, and once.
      const prototype: unknown = known && !isOwn ? newTarget.prototype : undefined;
      const module = known?.loadSync();
      if (!known || !module) return construct(target, args, isOwn ? target : newTarget) as object;
      if (!isOwn) Object.setPrototypeOf(module, isObject(prototype) ? prototype : Object.prototype);
      return note(registry, known, module);
    },
  };
}

/** Returns the known module with these bytes. The engine decides about everything else. */
function recognise(registry: Registry, source: unknown, options: unknown): KnownModule | undefined {
  if (options !== undefined && !isOfNode(options)) return undefined;
  const bytes = bytesOf(source);
  return bytes && registry.bySize.get(bytes.length)?.find((known) => known.hasBytes(bytes));
}

/**
 * Whether compile options are those that Node passes for `import source` and `import` of a wasm file. They
 * change nothing for modules that import neither builtins nor string constants, and no other module is known.
 */
function isOfNode(options: unknown): boolean {
  if (typeof options !== 'object' || options === null || types.isProxy(options)) return false;
  const { builtins, importedStringConstants, ...others } = Object.getOwnPropertyDescriptors(
    options as Record<string, unknown>,
  );
  const [builtin0, ...more] = Array.isArray(builtins?.value) ? (builtins.value as unknown[]) : [];
  return (
    Object.keys(others).length === 0 &&
    builtin0 === 'js-string' &&
    more.length === 0 &&
    importedStringConstants?.value === 'wasm:js/string-constants'
  );
}

/** The engine rejects anything else before it looks at the bytes. */
function mayBeImports(imports: unknown): boolean {
  return imports === undefined || isObject(imports);
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

function note(registry: Registry, known: KnownModule, module: WebAssembly.Module): WebAssembly.Module {
  if (known.readOriginal) registry.originals.set(module, known.readOriginal);
  return module;
}

async function loadOr(registry: Registry, known: KnownModule, callEngine: () => unknown): Promise<unknown> {
  const module = await known.load();
  return module ? note(registry, known, module) : callEngine();
}

async function instantiateOr(
  registry: Registry,
  known: KnownModule,
  imports: unknown,
  callEngine: () => unknown,
): Promise<unknown> {
  const loaded = await known.load();
  if (!loaded) return callEngine();
  const module = note(registry, known, loaded);
  return { module, instance: await instantiate(module, imports as WebAssembly.Imports | undefined) };
}

/** Recognises what a response holds. `use` gets the known module and the call of the engine with the same bytes. */
async function receive(
  registry: Registry,
  target: AnyFunction,
  self: unknown,
  args: Args,
  options: unknown,
  use: (known: KnownModule, callEngine: () => unknown) => Promise<unknown>,
): Promise<unknown> {
  const [source, ...others] = args;
  if (args.length === 0 || registry.bySize.size === 0 || options !== undefined)
    return apply(target, self, args) as unknown;
  const response = await source;
  const bytes = await readResponse(response, (size) => registry.bySize.has(size));
  if (!bytes) return apply(target, self, [response, ...others]) as unknown;
  const known = recognise(registry, bytes, undefined);
  const callEngine = () =>
    apply(target, self, [new Response(bytes, response as Response), ...others]) as unknown;
  return known ? use(known, callEngine) : callEngine();
}
