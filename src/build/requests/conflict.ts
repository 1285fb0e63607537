/** The error for a wasm file that another plugin or loader handles, too. */
import { WasmPrecompileError } from '../../common/error.ts';

/** @param other what else handles the file, as the subject of a sentence: `the plugin "wasm"` */
export function conflict(file: string, other: string): WasmPrecompileError {
  return new WasmPrecompileError(
    'CONFLICT',
    `${file}: ${other} handles this file, too. Remove it, or name the file in the option \`exclude\` ` +
      `of either of the two.${/\bunwasm\b/.test(other) ? ' In Nitro, set `wasm: false`.' : ''}`,
  );
}
