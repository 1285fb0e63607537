/** The end of a process: writes what its modules executed. */
import { type ModuleResult, names, type RecordFolder } from './folder.ts';
import { prepare } from './functions.ts';
import { Module } from './hooks.ts';
import type { LoadedWasm, Modules } from './modules.ts';
import { programFlagHash, serialize } from './native.ts';

/** @param addon path of the native loader's binary for this Node */
export function finish(folder: RecordFolder, modules: Modules, addon: string | undefined): void {
  // Should V8 abort over a module after all, then over one of those with a start function, whose state is known least.
  const ordered = [...modules.byHash.values()].toSorted((a, b) => Number(a.start) - Number(b.start));
  for (const entry of ordered) {
    // It may be one of those that were sent.
    entry.instantiated ||= modules.foreign;
    try {
      const result = record(folder, entry, addon);
      folder.write(names.result(process.pid, entry.hash), JSON.stringify(result));
    } catch {
      // The folder is gone or full: the command notices that there is no result.
    }
  }
  try {
    folder.write(names.end(process.pid), '');
  } catch {
    // The same.
  }
}

function record(folder: RecordFolder, entry: LoadedWasm, addon: string | undefined): ModuleResult {
  const wire = folder.read(names.wire(entry.hash));
  let module;
  try {
    // Where it was being compiled: V8 gives the one that there is, as long as something uses it.
    module = entry.module ?? compile(wire, entry.options);
  } catch {
    return { kind: 'invalid' };
  }
  try {
    const preparation = prepare(entry, module, wire);
    if (preparation.kind === 'unused') return preparation;
    folder.write(names.code(process.pid, entry.hash), serialize(module, addon));
    return {
      kind: 'code',
      flagHash: programFlagHash(),
      ...(preparation.forced && { forced: preparation.forced }),
    };
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }
}

/** TypeScript's library does not know the options yet. */
const compile = (wire: Uint8Array, options: object | undefined): WebAssembly.Module =>
  Reflect.construct(Module, [wire, options]) as WebAssembly.Module;
