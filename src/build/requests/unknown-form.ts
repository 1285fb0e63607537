/**
 * Wasm files that are imported with an unknown query. Without an error, the bundler would parse their bytes as
 * JavaScript.
 */
import { WasmPrecompileError } from '../../common/error.ts';
import { parseRequest, splitRequest } from './request.ts';

/** Returns the parts of a request for a wasm file whose query is no import form; undefined for other requests. */
export function parseUnknownRequest(request: string): { file: string; query: string } | undefined {
  const { file, query } = splitRequest(request);
  return query !== '' && /^[^\0]+\.wasm$/.test(file) && !parseRequest(request) ? { file, query } : undefined;
}

/** @param urlForm whether the bundler supports `?url` */
export function unknownForm(file: string, query: string, urlForm: boolean): WasmPrecompileError {
  const forms = urlForm ? '`?init`, `?module` or `?url`' : '`?init` or `?module`';
  return new WasmPrecompileError(
    'UNKNOWN_FORM',
    `${file} is imported in an unknown form, \`${query}\`. Import it as ${forms}, or without a query for its exports.`,
  );
}
