/** Import requests: which wasm file an import names, and in which form. */

/**
 * - `esm`: the exports of one instance (ESM integration)
 * - `init`: a function that instantiates
 * - `module`: the `WebAssembly.Module`
 * - `instance`: the same instance as `esm`, with its globals as `WebAssembly.Global`, for imports between wasm modules.
 *   Only generated code requests it
 * - `file`: the file itself in the output, for code that loads it at run time. Only the rewriting of such code
 *   (`discover/rewrite-runtime-loading.ts`) requests it
 * - `shared`: the module handle that all other forms use in browsers. Only generated code requests it
 */
export type ImportForm = 'esm' | 'init' | 'module' | 'instance' | 'file' | 'shared';

export interface ImportRequest {
  /** The request without its query. */
  file: string;
  form: ImportForm;
}

const FORM_BY_QUERY: Readonly<Record<string, ImportForm>> = {
  init: 'init',
  module: 'module',
  'wasm-instance': 'instance',
  'wasm-file': 'file',
  'wasm-shared': 'shared',
};

/** Parameters that dev servers add: a time stamp, a mark for imports, a version. */
const IGNORED_PARAMETERS = new Set(['t', 'import', 'v']);

/** Matches requests that may be in an import form, for hook filters. */
export const WASM_REQUEST = /^[^\0?]+\.wasm(?:\?.*)?$/;

/** Parses a request; undefined if it is in no import form, such as `?url` and `?raw`. */
export function parseRequest(request: string): ImportRequest | undefined {
  if (!WASM_REQUEST.test(request)) return undefined;
  const { file, query } = splitRequest(request);
  const parameters = [...new URLSearchParams(query).keys()].filter((name) => !IGNORED_PARAMETERS.has(name));
  const [parameter, ...others] = parameters;
  if (others.length > 0) return undefined;
  const form = parameter === undefined ? 'esm' : FORM_BY_QUERY[parameter];
  return form && { file, form };
}

/** Splits a request; the query is empty or starts with `?`. */
export function splitRequest(request: string): { file: string; query: string } {
  const queryAt = request.indexOf('?');
  return queryAt === -1
    ? { file: request, query: '' }
    : { file: request.slice(0, queryAt), query: request.slice(queryAt) };
}

/** Returns the request for a form of a file: the reverse of `parseRequest`. */
export function formatRequest({ file, form }: ImportRequest): string {
  const query = Object.keys(FORM_BY_QUERY).find((name) => FORM_BY_QUERY[name] === form);
  return query === undefined ? file : `${file}?${query}`;
}

/** Whether a module must run even if its exports are not used: an instance may have a start function. */
export function hasSideEffects(request: string): boolean {
  const form = parseRequest(request)?.form;
  return form !== 'init' && form !== 'module';
}
