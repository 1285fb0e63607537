import { WasmPrecompileError } from '../../common/error.ts';

/** What is wrong with wire bytes, and where. */
export interface UnsupportedFeature {
  /** Path or name of the file, where there is one. */
  file?: string | undefined;
  /** Where in the format, such as `type section`. */
  place: string;
  /** Bytes from the start of the file. */
  offset: number;
  expected: string;
  found: string;
  /** What the user can do about it; by default what helps against damage, or against an unknown proposal. */
  advice?: string | undefined;
}

const ADVICE = {
  INVALID_WASM: 'The file is damaged or incomplete: build or download it again.',
  UNSUPPORTED_WASM:
    'The file is damaged or uses a WebAssembly proposal that is not known here: update unplugin-wasm-precompile, or leave the file out with the option `exclude`.',
};

/** The error for wire bytes that cannot be read: `INVALID_WASM`, or `UNSUPPORTED_WASM` for what may be valid. */
export function wasmError(
  code: keyof typeof ADVICE,
  { file, place, offset, expected, found, advice = ADVICE[code] }: UnsupportedFeature,
  options?: ErrorOptions,
): WasmPrecompileError {
  const where = `offset 0x${offset.toString(16)} (${place})`;
  return new WasmPrecompileError(
    code,
    `${file ?? 'wasm module'}: expected ${expected} at ${where}, found ${found}. ${advice}`,
    options,
  );
}
