/** Parses `--time-limit` of the commands that run a program. */
import { WasmPrecompileError } from '../common/error.ts';
import { isTimeLimit, TIME_LIMIT } from '../common/time-limit.ts';

/** @returns milliseconds */
export function parseTimeLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = Number(text);
  if (!isTimeLimit(seconds)) {
    throw new WasmPrecompileError(
      'INVALID_OPTIONS',
      `--time-limit: expected ${TIME_LIMIT}, found ${JSON.stringify(text)}.`,
    );
  }
  return seconds * 1000;
}
