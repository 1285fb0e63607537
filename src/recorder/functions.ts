/** A way to functions of a module: those that an instance gives to JavaScript. */
import { readFunctionBodies } from '../wasm/binary/code.ts';
import { readModule } from '../wasm/binary/module.ts';
import type { LoadedWasm } from './modules.ts';
import { optimise, tiersOf } from './native.ts';
import type { ForcedFunction } from './folder.ts';
import { instantiateStub } from './stub.ts';

/**
 * What must be so before V8 serializes a module: one of its functions is optimised.
 *
 * - `ready`: it is so; `forced` is the function that was optimised for this, if none was
 * - `unused`: JavaScript cannot call any function, and there is no start function
 */
export type Preparation = { kind: 'ready'; forced?: ForcedFunction } | { kind: 'unused' };

/**
 * Optimises a function of a module, if none is that can be seen.
 *
 * @param wire its wire bytes
 * @throws Error with the reason where it cannot be done
 */
export function prepare(entry: LoadedWasm, module: WebAssembly.Module, wire: Uint8Array): Preparation {
  if (entry.ready) return { kind: 'ready', ...entry.ready };
  const info = readModule(wire);
  const bodies = readFunctionBodies(wire, info);
  const first = info.importedFunctions;
  const found = new Map<number, unknown>();
  const addExports = (exports: WebAssembly.Exports) => {
    for (const { kind, name, index } of info.exports) {
      // Others are imported functions that are exported again.
      if (kind === 'function' && index >= first) found.set(index, exports[name]);
    }
  };

  const exports = entry.exports?.deref();
  if (exports) addExports(exports);
  if (found.size === 0) {
    if (entry.start) {
      if (!entry.instantiated) return { kind: 'unused' };
      throw new Error(
        exports
          ? 'it has a start function and exports no function of its own, by which V8 could be asked'
          : 'it has a start function, and its instances were in another thread or never came to be',
      );
    }
    const stub = instantiateStub(module, info.imports);
    addExports(stub.exports);
    for (const table of stub.tables) addTable(found, table, first);
    for (const value of Object.values(stub.exports)) {
      if (value instanceof WebAssembly.Global) addFunction(found, readGlobal(value), first);
    }
  }

  // The smallest first: it is compiled.
  const candidates = [...found].toSorted(
    ([a], [b]) => (bodies[a - first]?.size ?? 0) - (bodies[b - first]?.size ?? 0),
  );
  const tiers = tiersOf(candidates.map(([, value]) => value));
  if (tiers.includes('optimised')) return { kind: 'ready' };
  // One that was executed stays so; of another one it is not known what happens to it from now on.
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

/** The name of an exported function is its index. In an instance that was made for this, all are the module's. */
function addFunction(found: Map<number, unknown>, value: unknown, first: number): void {
  if (typeof value === 'function' && Number(value.name) >= first) found.set(Number(value.name), value);
}

function readGlobal(global: WebAssembly.Global): unknown {
  try {
    return global.value;
  } catch {
    // v128 and others have no value for JavaScript.
    return undefined;
  }
}
