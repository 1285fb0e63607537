import { WasmPrecompileError } from '../common/error.ts';
import { readModuleFunctions } from './module-functions.ts';
import type { Profile, ProfiledFunction } from './profile.ts';

/**
 * Makes the profile of a module from what a run executed.
 *
 * @param name base name of the module, without extension
 * @param wire wire bytes, best unstripped: names go into the profile
 * @param executed in any order; a function that is there twice counts once, as optimised if it was so in either
 * @throws WasmPrecompileError `INVALID_WASM` or `UNSUPPORTED_WASM` when the bytes cannot be read; `INVALID_PROFILE`
 *   when an index is not that of a function which the module declares
 */
export function createProfile(
  name: string,
  wire: Uint8Array,
  executed: Iterable<Pick<ProfiledFunction, 'index' | 'optimised'>>,
): Profile {
  const module = readModuleFunctions(wire, name);
  const functions = new Map<number, ProfiledFunction>();
  for (const { index, optimised } of executed) {
    const known = functions.get(index);
    if (known) {
      known.optimised ||= optimised;
      continue;
    }
    const found = module.at(index);
    if (!found) {
      throw new WasmPrecompileError(
        'INVALID_PROFILE',
        `${name}: expected indices of the ${module.count} functions that it declares, from ${module.first}; found ${index}. ` +
          'What was executed belongs to another module: record the profile again with `wasm-precompile train`.',
      );
    }
    functions.set(index, { ...found, optimised });
  }
  return {
    name,
    sha256: module.sha256,
    functions: module.count,
    executed: [...functions.values()].toSorted((a, b) => a.index - b.index),
  };
}
