/**
 * Which functions of a module a process has executed, from native code that V8 made after an ordinary run: lazy
 * compilation, baseline compiler first, dynamic tiering. V8 (src/wasm) leaves three traces:
 *
 *  - A function's record is eager where it has baseline code and was executed (wasm-serialization.cc, `WriteCode`).
 *  - It is optimised where V8 found it hot, or where somebody asked for that (`%WasmTierUpFunction`).
 *  - Baseline code lowers the function's tiering budget, whenever it returns and in loops (`TierupCheck` in
 *    baseline/liftoff-compiler.cc); at its end V8 sets it back to the default and optimises the function
 *    (module-compiler.cc, `TriggerTierUp`). This stays when baseline code is thrown away for want of memory.
 *
 * A function that never returned, because it trapped or threw, or because it still runs, leaves none.
 */
import { type FunctionCounts, type NativeLayout, parseNativeCode } from './layout.ts';

export interface ExecutedFunction {
  /** In the function index space of the module: imported functions count. */
  index: number;
  /** Whether V8 found it hot enough to optimise it. */
  optimised: boolean;
}

/**
 * Finds the functions that were executed.
 *
 * @param code native code that V8 made after an ordinary run
 * @param version `process.versions.v8` of the V8 that wrote it
 * @param tieredUp functions that were optimised by request (`%WasmTierUpFunction`), since V8 gives no native code
 *   where nothing is optimised: they count only where their budgets tell that they were executed, and then as not
 *   optimised. So see first whether they are optimised already (`%IsTurboFanFunction`)
 * @returns in the order of indices, or undefined where the layout is unknown
 */
export function findExecuted(
  code: Uint8Array,
  version: string,
  counts: FunctionCounts,
  tieredUp: ReadonlySet<number> = new Set(),
): ExecutedFunction[] | undefined {
  const layout = parseNativeCode(code, version, counts);
  if (!layout) return undefined;
  const budget = defaultBudget(layout);
  const executed: ExecutedFunction[] = [];
  for (const { kind, index, tieringBudget } of layout.records) {
    const requested = tieredUp.has(index);
    if (tieringBudget !== budget || (kind !== 'lazy' && !requested)) {
      executed.push({ index, optimised: kind === 'optimised' && !requested });
    }
  }
  return executed;
}

/**
 * The budget that functions begin with (V8's flag `--wasm-tiering-budget`: 1,800,000 in V8 11.3, 13,000,000 since) is
 * not in native code, but no function has more. Where every function was executed, and none has it any more, the
 * largest that is left is taken for it: such functions have eager records, which count whatever their budget is.
 */
function defaultBudget({ records }: NativeLayout): number {
  // Signed: for a moment, before V8 sets it back, a budget is below zero.
  return records.reduce((largest, { tieringBudget }) => Math.max(largest, tieringBudget | 0), 0);
}
