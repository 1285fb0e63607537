/** Trims native code to a startup profile for a target. */
import { isAccepted } from './accept.ts';
import { neededFeatures, unusedFeatures } from './cpu.ts';
import type { EngineKey } from './engine-key.ts';
import { readHeader, withHeader } from './header.ts';
import { HostFailure } from './host-process.ts';
import type { FunctionCounts } from './layout.ts';
import { mixNativeCode, trimNativeCode } from './records.ts';
import type { KnownTarget } from './target.ts';

/** What trimming keeps of native code. */
export interface Selection {
  /** Functions to keep, by index in the function index space; V8 compiles the others at their first call. */
  executed: ReadonlySet<number>;
  /** Native code of the same module that this very V8 made in a training run; see {@link takesRun}. */
  run?: Run | undefined;
}

interface Run {
  bytes: Uint8Array;
  /** The functions whose code is taken from it. */
  optimised: ReadonlySet<number>;
}

/** The first version of V8 that inlines calls in wasm. */
const FIRST_INLINING = 13;

/**
 * Returns whether to take functions that a training run has optimised from the run's native code. V8 inlines by what
 * the run recorded, and would not optimise loaded code again. Versions that inline nothing gain nothing: their code of
 * a run is no faster and at times slower (docs/internals/decisions/what-a-profile-keeps.md).
 */
export function takesRun({ version }: EngineKey, run: Run | undefined): run is Run {
  return run !== undefined && run.optimised.size > 0 && Number.parseInt(version, 10) >= FIRST_INLINING;
}

/**
 * Trims native code. The result is used only if a fresh process of the target accepts it.
 *
 * @param timeLimit in milliseconds
 */
export async function trimFor(
  target: KnownTarget,
  wire: Uint8Array,
  native: Uint8Array,
  counts: FunctionCounts,
  { executed, run }: Selection,
  timeLimit: number,
): Promise<{ bytes: Uint8Array } | { reason: string }> {
  const { key } = target.engine;
  const { version } = key;
  const choose = (index: number) => {
    if (!executed.has(index)) return 'lazy';
    return run?.optimised.has(index) ? 'other' : 'base';
  };
  // Undefined if the run cannot be mixed in: it had other flags, or a CPU above the level.
  const other = takesRun(key, run) ? toLevel(target, run.bytes, wire) : undefined;
  const mixed = other && mixNativeCode(native, other, version, counts, choose);
  const bytes = mixed ?? trimNativeCode(native, version, counts, executed);
  if (!bytes) return { reason: `the layout of native code of V8 ${version} is unknown` };
  try {
    if (await isAccepted(target, wire, bytes, timeLimit)) return { bytes };
    return { reason: `${target.label} does not accept it` };
  } catch (error) {
    if (!(error instanceof HostFailure)) throw error;
    return { reason: error.message };
  }
}

/** Writes the CPU level into the header of a run's native code; undefined if it may use features above the level. */
function toLevel({ engine }: KnownTarget, code: Uint8Array, wire: Uint8Array): Uint8Array | undefined {
  const { key, cpu } = engine;
  const { cpuFeatures } = readHeader(code);
  const used = neededFeatures(cpuFeatures, cpu.features) & ~unusedFeatures(cpu.features, wire);
  return (used & ~cpu.needs) === 0 ? withHeader(code, { ...key, flagHash: undefined }) : undefined;
}
