import { WasmPrecompileError } from '../../common/error.ts';

/** Describes damage or an unsupported feature in wire bytes. */
export interface WasmProblem {
  /** Path or name of the file; undefined if the module is not from a file. */
  file?: string | undefined;
  /** The part of the format, such as `type section`. */
  place: string;
  /** Bytes from the start of the file. */
  offset: number;
  expected: string;
  found: string;
  /** What the user can do. By default this is the advice for the error code. */
  advice?: string | undefined;
}

const ADVICE = {
  INVALID_WASM: 'The file is damaged or incomplete: build or download it again.',
  UNSUPPORTED_WASM:
    'The file is damaged, or it uses a WebAssembly proposal that this version does not support: update unplugin-wasm-precompile, or exclude the file with the option `exclude`.',
};

/**
 * Creates the error for wire bytes that cannot be read: `INVALID_WASM`, or `UNSUPPORTED_WASM` if they may be
 * valid.
 */
export function wasmError(
  code: keyof typeof ADVICE,
  { file, place, offset, expected, found, advice = ADVICE[code] }: WasmProblem,
  options?: ErrorOptions,
): WasmPrecompileError {
  const where = `offset 0x${offset.toString(16)} (${place})`;
  return new WasmPrecompileError(
    code,
    `${file ?? 'wasm module'}: expected ${expected} at ${where}, found ${found}. ${advice}`,
    options,
  );
}
