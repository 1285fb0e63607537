import { WasmPrecompileError } from '../common/error.ts';
import { readModuleFunctions } from './module-functions.ts';
import type { Profile, ProfiledFunction } from './startup-profile.ts';

/**
 * Creates the profile of a module from the functions that a run executed.
 *
 * @param name base name of the module, without extension
 * @param wire wire bytes, preferably unstripped: the profile contains function names
 * @param executed in any order. A duplicate counts once, as optimised if one of them is optimised
 * @throws WasmPrecompileError `INVALID_WASM` or `UNSUPPORTED_WASM` if the bytes cannot be read;
 *   `INVALID_PROFILE` if the module does not declare a function with one of the indices
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
          'The executed functions are those of another module. Record the profile again with `wasm-precompile train`.',
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
