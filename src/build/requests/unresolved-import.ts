/** Imports of a wasm module that become JavaScript imports and cannot be resolved. */
import { createRequire } from 'node:module';
import { WasmPrecompileError } from '../../common/error.ts';

/**
 * Whether Node finds a module that the bundler does not: bundlers may leave such imports in the output. URLs are left
 * to the engine that runs the program, except `wasm:` URLs, which name modules that an engine itself provides.
 */
export function isFoundByNode(module: string, importer: string): boolean {
  if (/^[a-z][a-z+.-]+:/i.test(module)) return !module.startsWith('wasm:');
  try {
    createRequire(importer).resolve(module);
    return true;
  } catch (error) {
    // A package that exports nothing for `require` exists all the same.
    return (error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND';
  }
}

/** @param names what is imported from the module */
export function unresolvedImport(
  file: string,
  module: string,
  names: readonly string[],
): WasmPrecompileError {
  const [first, ...others] = names;
  const what = others.length > 0 ? `"${first}" and ${others.length} more` : `"${first}"`;
  return new WasmPrecompileError(
    'UNRESOLVED_IMPORT',
    `${file} imports ${what} from "${module}", which cannot be resolved. If a wasm file is imported without a query, ` +
      'its imports become imports of JavaScript modules. Import it as `?init` or `?module` and pass its imports ' +
      'yourself, or import the JavaScript that its compiler generated.',
  );
}
