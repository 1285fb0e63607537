/**
 * Native code relies on guard pages around wasm memory and on V8's trap handler: without the handler, an
 * out-of-bounds access kills the process instead of throwing. V8 does not check this when it loads native
 * code, so it is checked here. In workers `process.execArgv` and `process.env` may be the worker's own, so
 * what counts is what the process itself shows.
 */
import type { Addon } from './addon.ts';
import { builtin, isMainThread } from './builtin.ts';

const { readFileSync } = builtin('node:fs');

/** Bytes: a memory with guard regions takes at least 8 GiB of address space, one without them 4 GiB or less. */
const GUARDED_MEMORY_SIZE = 6 * 1024 ** 3;

/** How often to measure: other threads may free memory just then. */
const ATTEMPTS = 10;

/** SIGSEGV (11) in the mask of caught signals. */
const SIGSEGV_BIT = 0x400;

const OFF = 'the trap handler is off';

let reason: string | undefined;

/** Why native code must not be used in this process, or the empty string. The answer is found once. */
export function trapHandlerMissing(addon: Addon | undefined): string {
  const options = `${process.execArgv.join(' ')} ${process.env['NODE_OPTIONS']}`;
  return (reason ??= byOptions(options) ?? byMemory(addon, options) ?? '');
}

function byOptions(options: string): string | undefined {
  return /disable.wasm.trap.handler/.test(options) ? `${OFF} (--disable-wasm-trap-handler)` : undefined;
}

/** What the process shows: a handler for SIGSEGV, and guard regions around a memory. */
function byMemory(addon: Addon | undefined, options: string): string | undefined {
  try {
    if (!(addon ? addon.handlesSegv() : Number(`0x${readStatus('SigCgt').slice(-8)}`) & SIGSEGV_BIT))
      return OFF;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const reserved = addon ? addon.reservedBy(createMemory) : measure(createMemory);
      if (reserved >= GUARDED_MEMORY_SIZE) return undefined;
      if (reserved < 0) return byReport(options);
    }
    return OFF;
  } catch (error) {
    // No address space for a memory with guard regions.
    return error instanceof RangeError ? OFF : byReport(options);
  }
}

/** Linux: bytes of address space that a call takes. */
function measure(create: () => unknown): number {
  const before = Number(readStatus('VmSize'));
  create();
  return Math.max(0, Number(readStatus('VmSize')) - before) * 1024;
}

/** Linux: a field of proc(5)'s status. */
function readStatus(name: string): string {
  const status = readFileSync('/proc/self/status', 'latin1');
  return status.match(`${name}:\\s+(\\w+)`)?.[1] ?? '';
}

/**
 * Elsewhere, or where /proc may not be read: the options that the process was really started with. A worker may have
 * been given other ones; there they are in the diagnostic report, which takes about 3 ms.
 */
function byReport(options: string): string | undefined {
  const all = isMainThread() ? options : JSON.stringify(process.report.getReport());
  return (
    byOptions(all) ?? (/-(config|env)-file/.test(all) ? `${OFF}, maybe (options from a file)` : undefined)
  );
}

function createMemory(): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: 1 });
}
