/**
 * Node's own modules, without importing them. If an ES module imports `node:fs`, Node first reads each of its
 * exports. That loads other modules and adds 2 ms to startup, and `node:util` as much again (Node 26).
 * `process.getBuiltinModule` costs nothing for modules that Node has already loaded for itself. `node:v8`,
 * `node:worker_threads` and `node:zlib` take a millisecond or more each: request them only when they are needed.
 */
import { createRequire } from 'node:module';

type Builtin = typeof process.getBuiltinModule;

/**
 * Available since Node 20.16 and 22.3. In others, such as older versions of Electron, the runtime only compiles, but
 * it still has to run.
 */
export const builtin =
  (process as { getBuiltinModule?: Builtin }).getBuiltinModule ??
  (createRequire(process.execPath) as unknown as Builtin);

export const { fileURLToPath } = builtin('node:url');

export function isMainThread(): boolean {
  return builtin('node:worker_threads').isMainThread;
}

/** Changes V8's flags, for all threads of the process. */
export function setFlags(flags: string): void {
  builtin('node:v8').setFlagsFromString(flags);
}
