/** Tells what happened: one debug line for each load. Nothing else is here: plain modules need no more. */
import { builtin } from './builtin.ts';

const { debuglog } = builtin('node:util');

/** For `NODE_DEBUG`, and of what threads hand on to their workers. */
export const NAME = 'wasm-precompile';

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

/** Of a split module: the first call of a function that its primary has not. */
export function reportColdCall(file: string, part: number, calledFunction: number): void {
  debug('%s part %d comes in: function %d is called', file, part, calledFunction);
}
