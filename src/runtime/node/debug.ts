/**
 * Prints one debug line for each load. This is a file of its own so that modules without an artifact load nothing
 * else.
 */
import { builtin } from './builtin.ts';

/** The section of `NODE_DEBUG`, and the key of the data that threads pass on to their workers. */
export const DEBUG_NAME = 'wasm-precompile';

const debug = builtin('node:util').debuglog(DEBUG_NAME);

/**
 * Prints, for `NODE_DEBUG=wasm-precompile`: file, `precompiled` or `compiled`, engine key or reason, bytes,
 * milliseconds.
 */
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

/** Prints that a call of a function outside the primary loads a secondary module. */
export function reportColdCall(file: string, secondary: number, calledFunction: number): void {
  debug('%s loading secondary module %d (call to function %d)', file, secondary, calledFunction);
}
