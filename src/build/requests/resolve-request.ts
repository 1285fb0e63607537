/** Resolves import requests: of user code for wasm files, and of generated code for the runtime and other modules. */
import type { BundlerContext } from '../bundler-context.ts';
import { type ImportRequest, formatRequest, parseRequest, splitRequest } from './request.ts';
import { resolveFile } from './resolve-file.ts';
import { isRuntimeModule, runtimeFile } from './runtime-modules.ts';
import { parseUnknownRequest } from './unknown-form.ts';
import { isFoundByNode, unresolvedImport } from './unresolved-import.ts';

/** Requests that {@link resolveRequest} handles: wasm files, runtime modules, and the runtime's imports of Node. */
export const RESOLVE_FILTER = /^[^\0?]+\.wasm(?:\?.*)?$|^wasm-precompile:|^node:/;

/** The id of a module, or an import that the output keeps. */
export type ResolvedRequest = string | { id: string; external: boolean };

/**
 * Resolves a request; undefined if the plugin does not handle it.
 *
 * @param filter whether the options include a file
 */
export async function resolveRequest(
  context: BundlerContext,
  request: string,
  importer: string | undefined,
  filter: (file: string) => boolean,
): Promise<ResolvedRequest | undefined> {
  const runtime = runtimeFile(request);
  if (runtime !== undefined) return runtime;
  if (request.startsWith('node:')) {
    const isRuntimeImport = importer !== undefined && isRuntimeModule(importer);
    return isRuntimeImport ? { id: request, external: true } : undefined;
  }
  const parsed = parseRequest(request);
  if (!parsed) return undefined;
  const file = await resolveFile(context, parsed.file, importer && splitRequest(importer).file);
  return file !== undefined && filter(file) ? formatRequest({ ...parsed, file }) : undefined;
}

/**
 * Resolves a wasm file with an unknown query, for bundlers that do not find such files; undefined if the plugin does
 * not handle the file.
 */
export async function resolveUnknownForm(
  context: BundlerContext,
  id: string,
  importer: string | undefined,
  handles: (file: string) => boolean,
): Promise<string | undefined> {
  const request = parseUnknownRequest(id);
  if (!request) return undefined;
  const file = await resolveFile(context, request.file, importer && splitRequest(importer).file);
  return file !== undefined && handles(file) ? `${file}${request.query}` : undefined;
}

/**
 * Resolves an import of a wasm module to the request that generated code makes. Other wasm modules are imported with
 * their globals as `WebAssembly.Global` objects, JavaScript modules as usual.
 *
 * @param names what the wasm module imports from the module
 * @throws WasmPrecompileError `UNRESOLVED_IMPORT`
 */
export async function resolveWasmImport(
  context: BundlerContext,
  module: string,
  names: readonly string[],
  { file }: Pick<ImportRequest, 'file'>,
  handles: (file: string) => boolean,
): Promise<string> {
  if (module.endsWith('.wasm')) {
    const imported = await resolveFile(context, module, file);
    if (imported !== undefined && handles(imported)) {
      return formatRequest({ file: imported, form: 'instance' });
    }
  }
  const found = isFoundByNode(module, file) || (await context.resolve(module, file));
  if (!found) throw unresolvedImport(file, module, names);
  return module;
}
