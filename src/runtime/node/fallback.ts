/**
 * Says that native code is not used: one warning for each reason. Threads that run already when it is given do not know of
 * it, and may repeat it.
 */
import type { Serializable } from 'node:worker_threads';
import { builtin } from './builtin.ts';
import { NAME } from './debug.ts';

export type FallbackMode = 'warn' | 'silent' | 'error';

/** Reasons, as keys. */
type Warned = Record<string, boolean>;

/** One object for all copies of this runtime in a thread; workers start with what was in it by then. */
function findWarned(): Warned {
  const threads = builtin('node:worker_threads');
  const warned = (threads.getEnvironmentData(NAME) ?? {}) as unknown as Warned;
  threads.setEnvironmentData(NAME, warned as unknown as Serializable);
  return warned;
}

const CODE = 'WASM_PRECOMPILE_FALLBACK';

/** Says that native code is not used, in the way that the option `fallback` asks for. */
export function reportFallback(mode: FallbackMode, file: string, reason: string, advice: string): void {
  if (mode === 'silent') return;
  const message = `${file}: native code is not used: ${reason}.`;
  if (mode === 'error') fail(`${message} ${advice}`, CODE);
  const warned = findWarned();
  if (!warned[reason]) {
    process.emitWarning(`${message} The module is compiled at start-up instead. ${advice}`, { code: CODE });
  }
  warned[reason] = true;
}

/** Of an artifact whose module cannot be had: there is nothing else to do. */
export function describeDamage(file: string): string {
  return `${file}: a part of its wasm module is damaged or missing. Deploy one whole build again.`;
}

export function fail(message: string, code?: string): never {
  throw Object.assign(new Error(message), { code });
}
