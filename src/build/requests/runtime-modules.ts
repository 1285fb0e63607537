/** Requests by which generated code imports the runtime, and the files that they resolve to. */
import { fileURLToPath } from 'node:url';

const RUNTIME_REQUEST = /^wasm-precompile:runtime\/([\w/-]+)$/;
const RUNTIME_FOLDER = fileURLToPath(new URL('../../runtime/', import.meta.url)).replaceAll('\\', '/');

/** Returns the file of a runtime module; undefined for other requests. */
export function runtimeFile(request: string): string | undefined {
  const name = RUNTIME_REQUEST.exec(request)?.[1];
  return name && `${RUNTIME_FOLDER}${name}.js`;
}

/** Whether an id or a path is that of a runtime module. */
export function isRuntimeModule(id: string): boolean {
  return id.replaceAll('\\', '/').startsWith(RUNTIME_FOLDER);
}
