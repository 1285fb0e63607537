/** Reads from a module the same facts about functions that a profile has. */
import { readFunctionBodies } from '../wasm/binary/code.ts';
import { hashFunctionBody, hashModule } from '../wasm/binary/hash.ts';
import { readModule } from '../wasm/binary/module.ts';
import type { ProfiledFunction } from './startup-profile.ts';

/** A function that a module declares. */
export type ModuleFunction = Omit<ProfiledFunction, 'optimised'>;

export interface ModuleFunctions {
  /** SHA-256 of the module without custom sections, as in a profile. */
  sha256: string;
  /** Index of the first declared function: the number of imported functions. */
  first: number;
  /** Number of declared functions. */
  count: number;
  /** Returns the function with this index. Hashes its body at each call. */
  at(index: number): ModuleFunction | undefined;
  /** Returns all functions. The first call hashes their bodies, which takes about 50 ms for 18 MB. */
  all(): readonly ModuleFunction[];
}

/**
 * @param wire wire bytes, preferably unstripped: names help to recognise functions
 * @param file the name of the file, for messages
 * @throws WasmPrecompileError `INVALID_WASM` or `UNSUPPORTED_WASM`
 */
export function readModuleFunctions(wire: Uint8Array, file?: string): ModuleFunctions {
  const module = readModule(wire, file);
  const bodies = readFunctionBodies(wire, module, file);
  const first = module.importedFunctions;
  let names: Map<number, string> | undefined;
  let all: ModuleFunction[] | undefined;

  function at(index: number): ModuleFunction | undefined {
    const body = bodies[index - first];
    if (!body) return undefined;
    names ??= module.functionNames();
    return { index, name: names.get(index), body: hashFunctionBody(wire, body) };
  }

  return {
    sha256: hashModule(wire, module),
    first,
    count: bodies.length,
    at,
    all: () => (all ??= bodies.flatMap((_, position) => at(first + position) ?? [])),
  };
}
