/** Wasm files that are imported with a query that nobody knows: a bundler would parse their bytes as JavaScript. */
import { WasmPrecompileError } from '../../common/error.ts';
import { parseRequest, splitRequest } from './request.ts';

/** A request for a wasm file with a query, which is none of our forms. */
export function parseForeignRequest(request: string): { file: string; query: string } | undefined {
  const { file, query } = splitRequest(request);
  return query !== '' && /^[^\0]+\.wasm$/.test(file) && !parseRequest(request) ? { file, query } : undefined;
}

/** @param urlForm whether the bundler knows `?url` */
export function unknownForm(file: string, query: string, urlForm: boolean): WasmPrecompileError {
  const forms = urlForm ? '`?init`, `?module` and `?url`' : '`?init` and `?module`';
  return new WasmPrecompileError(
    'UNKNOWN_FORM',
    `${file} is imported in an unknown form, \`${query}\`: there are ${forms}, and no query for its exports.`,
  );
}
