/**
 * Native code relies on guard regions around wasm memory and on V8's trap handler: without the handler, an
 * out-of-bounds access kills the process instead of throwing. V8 does not check this when it loads native code, so
 * the runtime does. In workers, `process.execArgv` and `process.env` may be the worker's own, so the check examines
 * the process itself.
 */
import type { Addon } from './addon.ts';
import { builtin, isMainThread } from './builtin.ts';

const { readFileSync } = builtin('node:fs');

/** Bytes: a memory with guard regions takes at least 8 GiB of address space, one without them 4 GiB or less. */
const GUARDED_MEMORY_SIZE = 6 * 1024 ** 3;

/** Measurements to make: another thread may free memory during one of them. */
const ATTEMPTS = 10;

/** SIGSEGV (11) in the mask of caught signals. */
const SIGSEGV_BIT = 0x400;

const OFF = 'the trap handler is off';

let reason: string | undefined;

/**
 * Returns why native code must not be used in this process, or an empty string. The result is computed once.
 *
 * @param handlesSegv what the addon has returned for this load, if the caller asked it already
 */
export function trapHandlerMissing(addon: Addon | undefined, handlesSegv?: boolean): string {
  const options = `${process.execArgv.join(' ')} ${process.env['NODE_OPTIONS']}`;
  return (reason ??= checkOptions(options) ?? checkProcess(addon, options, handlesSegv) ?? '');
}

function checkOptions(options: string): string | undefined {
  return /disable.wasm.trap.handler/.test(options) ? `${OFF} (--disable-wasm-trap-handler)` : undefined;
}

/** Checks that the process handles SIGSEGV and reserves guard regions around a memory. */
function checkProcess(
  addon: Addon | undefined,
  options: string,
  handlesSegv: boolean | undefined,
): string | undefined {
  try {
    if (!(handlesSegv ?? addon?.handlesSegv() ?? Number(`0x${readStatus('SigCgt').slice(-8)}`) & SIGSEGV_BIT))
      return OFF;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const reserved = addon ? addon.reservedBy(createMemory) : measureReserved(createMemory);
      if (reserved >= GUARDED_MEMORY_SIZE) return undefined;
      if (reserved < 0) return checkReport(options);
    }
    return OFF;
  } catch (error) {
    // A RangeError means that there is no address space for a memory with guard regions.
    return error instanceof RangeError ? OFF : checkReport(options);
  }
}

/** Linux: returns the bytes of address space that a call takes. */
function measureReserved(create: () => unknown): number {
  const before = Number(readStatus('VmSize'));
  create();
  return Math.max(0, Number(readStatus('VmSize')) - before) * 1024;
}

/** Linux: returns a field of proc(5)'s status. */
function readStatus(name: string): string {
  const status = readFileSync('/proc/self/status', 'latin1');
  return status.match(`${name}:\\s+(\\w+)`)?.[1] ?? '';
}

/**
 * Checks the options of the process, for other platforms and for processes that may not read /proc. The options of a
 * worker may differ from those of its process. A worker reads the latter from the diagnostic report, which takes
 * about 3 ms.
 */
function checkReport(options: string): string | undefined {
  const all = isMainThread() ? options : JSON.stringify(process.report.getReport());
  return (
    checkOptions(all) ?? (/-(config|env)-file/.test(all) ? `${OFF}, maybe (options from a file)` : undefined)
  );
}

function createMemory(): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: 1 });
}
