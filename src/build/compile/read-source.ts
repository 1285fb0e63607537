/** Reads a wasm file from disk: what the build needs of it before it decides how to ship it. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { messageOf, WasmPrecompileError } from '../../common/error.ts';
import { sha256 } from '../../common/sha256.ts';
import { type Builtins, findBuiltins } from '../../wasm/binary/builtins.ts';
import { readModule, type WasmModule } from '../../wasm/binary/module.ts';
import { stripCustomSections, type StripMode } from '../../wasm/binary/strip.ts';

/** A module as it was read from its file. */
export interface SourceModule {
  /** Absolute path. */
  file: string;
  /** Base name without extension: `sql-wasm`. */
  name: string;
  /** SHA-256 of the file, hexadecimal. */
  sha256: string;
  /** The unchanged file. */
  bytes: Uint8Array;
  /** The bytes that the program will load: the file without the custom sections that `strip` removes. */
  wire: Uint8Array;
  module: WasmModule;
  /** JS string builtins that it imports: V8 compiles such a module with options that native code cannot hold. */
  builtins: Builtins | undefined;
}

/** @throws WasmPrecompileError `UNREADABLE_FILE`, `INVALID_WASM` or `UNSUPPORTED_WASM` */
export async function readSource(file: string, strip: StripMode): Promise<SourceModule> {
  const source = sourceOf(await readBytes(file), file);
  return { ...source, wire: stripCustomSections(source.bytes, strip) };
}

/**
 * A module that is not read from a file. Nothing is stripped.
 *
 * @param file its path, or a name for messages
 * @throws WasmPrecompileError `INVALID_WASM` or `UNSUPPORTED_WASM`
 */
export function sourceOf(bytes: Uint8Array, file: string): SourceModule {
  const module = readModule(bytes, file);
  return {
    file,
    name: moduleName(file),
    sha256: sha256(bytes),
    bytes,
    wire: bytes,
    module,
    builtins: findBuiltins(module.imports),
  };
}

/** @throws WasmPrecompileError `UNREADABLE_FILE` */
export async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new WasmPrecompileError('UNREADABLE_FILE', `${file}: cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Base name without extension: `sql-wasm`. */
export function moduleName(file: string): string {
  return basename(file).replace(/\.wasm$/, '');
}
