/** Imports of a wasm module that become imports of JavaScript, where there is nothing to import. */
import { createRequire } from 'node:module';
import { WasmPrecompileError } from '../../common/error.ts';

/**
 * Whether Node would find a module that the bundler does not: bundlers may leave such imports to run time. URLs are for
 * whoever runs the program, but those of engines: what an engine gives is not asked for here.
 */
export function isFoundByNode(module: string, importer: string): boolean {
  if (/^[a-z][a-z+.-]+:/i.test(module)) return !module.startsWith('wasm:');
  try {
    createRequire(importer).resolve(module);
    return true;
  } catch (error) {
    // A package that exports nothing for `require` is there nevertheless.
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
    `${file} imports ${what} from "${module}", which cannot be resolved. Where a wasm file is imported without a query, ` +
      'its imports become imports of JavaScript modules. Import it as `?init` or `?module` to give it its imports ' +
      'yourself, or through the JavaScript that its compiler made for it.',
  );
}
