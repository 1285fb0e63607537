import { WasmPrecompileError } from '../common/error.ts';
import { isRunCount, RUN_COUNT } from '../train/run-count.ts';

/** @throws WasmPrecompileError `INVALID_OPTIONS` */
export function parseRuns(text: string): number {
  const runs = Number(text);
  if (isRunCount(runs)) return runs;
  throw new WasmPrecompileError(
    'INVALID_OPTIONS',
    `--runs: expected ${RUN_COUNT}, found ${JSON.stringify(text)}.`,
  );
}
