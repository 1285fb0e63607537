/** Two that both want a wasm file. */
import { WasmPrecompileError } from '../../common/error.ts';

/** @param other who else handles the file, as a subject: `the plugin "wasm"` */
export function conflict(file: string, other: string): WasmPrecompileError {
  return new WasmPrecompileError(
    'CONFLICT',
    `${file}: ${other} handles this file, too. Remove it, or name the file in the option \`exclude\` of it or of ` +
      'unplugin-wasm-precompile.',
  );
}
