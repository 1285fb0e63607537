/** Brings a module into a state in which V8 serializes it: at least one of its functions is optimised. */
import { readFunctionBodies } from '../wasm/binary/code.ts';
import { readModule } from '../wasm/binary/module.ts';
import type { LoadedModule } from './loaded-modules.ts';
import type { ForcedFunction } from './record-folder.ts';
import { instantiateStub } from './stub-instance.ts';
import { optimise, tiersOf } from './v8-natives.ts';

/**
 * - `ready`: a function is optimised; `forced` is the function that was optimised for this, if none was before
 * - `unused`: JavaScript cannot call any function, and there is no start function
 */
export type Preparation = { kind: 'ready'; forced?: ForcedFunction } | { kind: 'unused' };

/**
 * Optimises a function of a module, unless one that JavaScript can reach is already optimised.
 *
 * @param wire the module's wire bytes
 * @throws Error with the reason if no function can be optimised
 */
export function prepareSerialization(
  entry: LoadedModule,
  module: WebAssembly.Module,
  wire: Uint8Array,
): Preparation {
  if (entry.ready) return { kind: 'ready', ...entry.ready };
  const info = readModule(wire);
  const bodies = readFunctionBodies(wire, info);
  const first = info.importedFunctions;
  const found = new Map<number, unknown>();
  const addExports = (exports: WebAssembly.Exports) => {
    for (const { kind, name, index } of info.exports) {
      // A lower index is an imported function that the module exports again.
      if (kind === 'function' && index >= first) found.set(index, exports[name]);
    }
  };

  const exports = entry.exports?.deref();
  if (exports) addExports(exports);
  if (found.size === 0) {
    if (entry.hasStartFunction) {
      if (!entry.instantiated) return { kind: 'unused' };
      throw new Error(
        exports
          ? 'it has a start function and exports no function of its own, by which V8 could be queried'
          : 'it has a start function, and its instances were in another thread or were never created',
      );
    }
    const stub = instantiateStub(module, info.imports);
    addExports(stub.exports);
    for (const table of stub.tables) addTable(found, table, first);
    for (const value of Object.values(stub.exports)) {
      if (value instanceof WebAssembly.Global) addFunction(found, readGlobal(value), first);
    }
  }

  // The smallest first, because the chosen function is compiled.
  const candidates = [...found].toSorted(
    ([a], [b]) => (bodies[a - first]?.size ?? 0) - (bodies[b - first]?.size ?? 0),
  );
  const tiers = tiersOf(candidates.map(([, value]) => value));
  if (tiers.includes('optimised')) return { kind: 'ready' };
  // Prefer a function that is known to be executed: optimising another one hides whether it runs later.
  const position = Math.max(0, tiers.indexOf('baseline'));
  const candidate = candidates[position];
  if (!candidate) return { kind: 'unused' };
  const [index, value] = candidate;
  if (!optimise(value)) throw new Error(`V8 did not optimise function ${index}`);
  return { kind: 'ready', forced: { index, executed: tiers[position] === 'baseline' } };
}

function addTable(found: Map<number, unknown>, table: WebAssembly.Table, first: number): void {
  // 64-bit tables are indexed by BigInt.
  const big = typeof (table.length as unknown) === 'bigint';
  for (let index = 0; index < Number(table.length); index++) {
    addFunction(found, table.get((big ? BigInt(index) : index) as number) as unknown, first);
  }
}

/** The name of an exported function is its index. A stub instance holds functions of this module only. */
function addFunction(found: Map<number, unknown>, value: unknown, first: number): void {
  if (typeof value === 'function' && Number(value.name) >= first) found.set(Number(value.name), value);
}

function readGlobal(global: WebAssembly.Global): unknown {
  try {
    return global.value;
  } catch {
    // Globals of v128 and some other types have no JavaScript value.
    return undefined;
  }
}
