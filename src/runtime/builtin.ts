/**
 * Node's own modules that cost a start more than a millisecond each, unless the program uses them itself: `node:v8`,
 * `node:worker_threads`, `node:zlib`. Most loads need none of them, so they are not imported but asked for where they are needed.
 * Undefined where that is not possible: in Node before 20.16 and 22.3, for which there is no native code.
 */
export const builtin = (process as Partial<Pick<NodeJS.Process, 'getBuiltinModule'>>).getBuiltinModule;

/** Whether this is no worker; so it is assumed where nobody knows. */
export function isMainThread(): boolean {
  return builtin?.('node:worker_threads').isMainThread ?? true;
}

/** Changes V8's flags, for all threads of the process. */
export function setFlags(flags: string): void {
  builtin?.('node:v8').setFlagsFromString(flags);
}
