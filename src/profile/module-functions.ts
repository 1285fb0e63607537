/** What profiles say of functions, read from a module. */
import { readFunctionBodies } from '../wasm/binary/code.ts';
import { hashFunctionBody, hashModule } from '../wasm/binary/hash.ts';
import { readModule } from '../wasm/binary/module.ts';
import type { ProfiledFunction } from './profile.ts';

/** A function that a module declares. */
export type ModuleFunction = Omit<ProfiledFunction, 'optimised'>;

export interface ModuleFunctions {
  /** As in a profile: without custom sections. */
  sha256: string;
  /** Index of the first declared function: the number of imported ones. */
  first: number;
  /** Number of declared functions. */
  count: number;
  /** The one with this index. Hashes its body at each call. */
  at(index: number): ModuleFunction | undefined;
  /** All of them. Bodies are hashed once, at the first call: about 50 ms for 18 MB. */
  all(): readonly ModuleFunction[];
}

/**
 * @param wire wire bytes, best unstripped: names help to recognise functions
 * @param file their name, for messages
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
