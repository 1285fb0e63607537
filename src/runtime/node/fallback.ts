/**
 * Reports that precompiled code is not used: one warning for each reason. A worker that is already running when
 * another thread warns may repeat the warning.
 */
import type { Serializable } from 'node:worker_threads';
import { builtin } from './builtin.ts';
import { DEBUG_NAME } from './debug.ts';

export type FallbackMode = 'warn' | 'silent' | 'error';

/** The keys are reasons. */
type WarnedReasons = Record<string, boolean>;

/** Returns one object for all copies of this runtime in a thread. Workers start with a copy of it. */
function getWarnedReasons(): WarnedReasons {
  const threads = builtin('node:worker_threads');
  const warned = (threads.getEnvironmentData(DEBUG_NAME) ?? {}) as unknown as WarnedReasons;
  threads.setEnvironmentData(DEBUG_NAME, warned as unknown as Serializable);
  return warned;
}

const CODE = 'WASM_PRECOMPILE_FALLBACK';

/**
 * Reports that precompiled code is not used, as the option `fallback` says.
 *
 * @throws Error in mode `error`
 */
export function reportFallback(mode: FallbackMode, file: string, reason: string, advice: string): void {
  if (mode === 'silent') return;
  const message = `${file}: precompiled code is not used: ${reason}.`;
  if (mode === 'error') fail(`${message} ${advice}`, CODE);
  const warned = getWarnedReasons();
  if (!warned[reason]) {
    process.emitWarning(`${message} The module is compiled at startup instead. ${advice}`, { code: CODE });
  }
  warned[reason] = true;
}

/** Describes an artifact whose wasm module cannot be read. There is no fallback for that. */
export function describeDamage(file: string): string {
  return `${file}: a part of its wasm module is damaged or missing. Deploy the complete build again.`;
}

export function fail(message: string, code?: string): never {
  throw Object.assign(new Error(message), { code });
}
