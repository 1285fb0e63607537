/**
 * Tells what happened: one debug line for each load, one warning for each reason. Threads that run already when it is
 * given do not know of it, and may repeat it.
 */
import { debuglog } from 'node:util';
import * as threads from 'node:worker_threads';

export type FallbackMode = 'warn' | 'silent' | 'error';

/** For `NODE_DEBUG`, and of what threads hand on to their workers. */
const NAME = 'wasm-precompile';

const debug = debuglog(NAME);

/** `NODE_DEBUG=wasm-precompile`: file, `precompiled` or `compiled`, engine key or reason, bytes, milliseconds. */
export function reportLoad(
  file: string,
  how: string,
  detail: string,
  bytes: number,
  mapped: boolean | undefined,
  start: number,
): void {
  const access = mapped ? 'mapped' : 'read';
  debug(
    '%s %s (%s) %d bytes %s %s ms',
    file,
    how,
    detail,
    bytes,
    access,
    (performance.now() - start).toFixed(1),
  );
}

/** Reasons, as keys. One object for all copies of this runtime in a thread; workers start with what was in it by then. */
const warned = (threads.getEnvironmentData(NAME) ?? {}) as unknown as Record<string, boolean>;
threads.setEnvironmentData(NAME, warned as unknown as threads.Serializable);

const CODE = 'WASM_PRECOMPILE_FALLBACK';

/** Says that native code is not used, in the way that the option `fallback` asks for. */
export function reportFallback(mode: FallbackMode, file: string, reason: string, advice: string): void {
  if (mode === 'silent') return;
  const message = `${file}: native code is not used: ${reason}.`;
  if (mode === 'error') fail(`${message} ${advice}`, CODE);
  if (!warned[reason]) {
    process.emitWarning(`${message} The module is compiled at start-up instead. ${advice}`, { code: CODE });
  }
  warned[reason] = true;
}

export function fail(message: string, code?: string): never {
  throw Object.assign(new Error(message), { code });
}
