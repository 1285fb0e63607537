/**
 * Finds the functions that a process has executed, in native code that V8 made after an ordinary run: lazy compilation,
 * baseline compiler first, dynamic tiering. An executed function leaves one of three traces (V8, src/wasm):
 *
 *  - Its record is eager: it has baseline code and was executed (wasm-serialization.cc, `WriteCode`).
 *  - Its record is optimised: V8 found it hot, or a script requested it (`%WasmTierUpFunction`).
 *  - Its tiering budget is lower. Baseline code lowers it at every return and in loops (`TierupCheck` in
 *    baseline/liftoff-compiler.cc). When it is used up, V8 resets it to the default and optimises the function
 *    (module-compiler.cc, `TriggerTierUp`). A lower budget stays when V8 frees baseline code to save memory.
 *
 * A function that never returned leaves no trace: it trapped, threw, or still runs.
 */
import { type FunctionCounts, type NativeLayout, parseNativeCode } from './layout.ts';

export interface ExecutedFunction {
  /** In the function index space of the module, which includes imported functions. */
  index: number;
  /** Whether V8 optimised the function because it was hot. */
  optimised: boolean;
}

/**
 * Finds the functions that were executed.
 *
 * @param code native code that V8 made after an ordinary run
 * @param version `process.versions.v8` of the V8 that wrote it
 * @param tieredUp functions that a script had V8 optimise (`%WasmTierUpFunction`), since V8 serializes no module
 *   without optimised functions. They count as executed only if their budgets are lower, and as not optimised. So the
 *   script must leave out functions that V8 has optimised by itself (`%IsTurboFanFunction`)
 * @returns in the order of indices, or undefined if the layout is unknown
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
 * Returns the initial budget of functions (V8's flag `--wasm-tiering-budget`: 1,800,000 in V8 11.3, 13,000,000 since).
 * Native code does not contain it, but no function has more, so it is the largest budget. If every function was
 * executed, that is too low, which does no harm: their records are eager and count regardless of the budget.
 */
function defaultBudget({ records }: NativeLayout): number {
  // Signed, since a used-up budget is below zero until V8 resets it.
  return records.reduce((largest, { tieringBudget }) => Math.max(largest, tieringBudget | 0), 0);
}
