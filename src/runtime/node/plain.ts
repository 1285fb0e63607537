/**
 * Modules without an artifact, in Node: creates a `WebAssembly.Module` from a wasm file or from bytes in the bundle.
 */
import { builtin, fileURLToPath } from './builtin.ts';
import { getHook } from './preload-hooks.ts';
import { compileArguments, type CompileOptions } from '../shared/module-handle.ts';
import { reportLoad } from './debug.ts';
import { createHandle, syncOrAsync, type ModuleHandle, type Steps } from './steps.ts';

export { initializer } from '../shared/module-handle.ts';

const { readFile, readFileSync } = builtin('node:fs');
const { promisify } = builtin('node:util');

/** Not `node:fs/promises`, which adds a millisecond to startup. */
const readFileAsync = promisify(readFile);

/** Returns a handle for the module in a plain wasm file, by its file URL. */
export function fromFile(url: string, options: CompileOptions = {}): ModuleHandle {
  const file = fileURLToPath(url);
  return createHandle((asynchronous) => {
    const source = syncOrAsync(
      asynchronous,
      () => readFileSync(file),
      () => readFileAsync(file),
    );
    return compileBytes(file, source, options, asynchronous, true);
  });
}

/** Returns a handle for a module in the bundle itself. */
export function fromBase64(base64: string, options: CompileOptions = {}): ModuleHandle {
  const decode = () => Buffer.from(base64, 'base64');
  return createHandle((asynchronous) =>
    compileBytes(
      '(inline module)',
      syncOrAsync(asynchronous, decode, async () => decode()),
      options,
      asynchronous,
    ),
  );
}

function* compileBytes(
  file: string,
  source: Steps<Buffer<ArrayBuffer>>,
  options: CompileOptions,
  asynchronous: boolean,
  isFile = false,
): Steps<WebAssembly.Module> {
  const start = performance.now();
  const recorder = isFile ? getHook('recorder') : undefined;
  const observe = isFile ? getHook('observer')?.(file) : undefined;
  const read = yield* source;
  observe?.('map');
  // The recorder gets a copy: Node reads small files into an ArrayBuffer that other data shares.
  const bytes = recorder ? new Uint8Array(read).buffer : read;
  recorder?.(bytes as ArrayBuffer, file);
  const module = yield* syncOrAsync(
    asynchronous,
    () => new WebAssembly.Module(...compileArguments(bytes, options)),
    () => WebAssembly.compile(...compileArguments(bytes, options)),
  );
  observe?.('load', module, 'plain');
  reportLoad(file, 'compiled', recorder ? 'recording' : 'plain wasm', bytes.byteLength, false, start);
  return module;
}
