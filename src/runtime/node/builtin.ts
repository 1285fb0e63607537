/**
 * Node's own modules, without importing them: an ES module that imports `node:fs` waits for Node to look at each of its exports,
 * which brings in other modules and takes a start 2 ms, `node:util` as long (Node 26). Asked for in this way, those that Node has
 * loaded for itself cost nothing. `node:v8`, `node:worker_threads` and `node:zlib` cost a millisecond or more each: to be asked for only
 * where they are needed.
 */
import { createRequire } from 'node:module';

type Builtin = typeof process.getBuiltinModule;

/** Node has it since 20.16 and 22.3; in others, such as older Electrons, the runtime only compiles, but it has to run. */
export const builtin =
  (process as { getBuiltinModule?: Builtin }).getBuiltinModule ??
  (createRequire(process.execPath) as unknown as Builtin);

export function isMainThread(): boolean {
  return builtin('node:worker_threads').isMainThread;
}

/** Changes V8's flags, for all threads of the process. */
export function setFlags(flags: string): void {
  builtin('node:v8').setFlagsFromString(flags);
}
