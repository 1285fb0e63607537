/** Records, at the end of a process, which functions of its modules were executed. */
import type { LoadedModule, LoadedModules } from './loaded-modules.ts';
import { prepareSerialization } from './prepare-serialization.ts';
import { type ModuleResult, recordFiles, type RecordFolder } from './record-folder.ts';
import { programFlagHash, serialize } from './v8-natives.ts';
import { Module } from './webassembly-hooks.ts';

/** @param addon path of the native addon for this Node */
export function finish(folder: RecordFolder, modules: LoadedModules, addon: string | undefined): void {
  // The state of modules with a start function is known least. They come last, so that if V8 aborts on one of them,
  // the other modules are already recorded.
  const ordered = [...modules.byHash.values()].toSorted(
    (a, b) => Number(a.hasStartFunction) - Number(b.hasStartFunction),
  );
  for (const entry of ordered) {
    // A module that was transferred between threads may be any of these.
    entry.instantiated ||= modules.hasTransferredModules;
    try {
      const result = record(folder, entry, addon);
      folder.write(recordFiles.result(process.pid, entry.hash), JSON.stringify(result));
    } catch {
      // The folder is gone or the disk is full: the command detects the missing result.
    }
  }
  try {
    folder.write(recordFiles.end(process.pid), '');
  } catch {
    // As above.
  }
}

function record(folder: RecordFolder, entry: LoadedModule, addon: string | undefined): ModuleResult {
  const wire = folder.read(recordFiles.wire(entry.hash));
  let module;
  try {
    // If the module was still being compiled, V8 returns its existing native module while that is in use.
    module = entry.module ?? compile(wire, entry.options);
  } catch {
    return { kind: 'invalid' };
  }
  try {
    const preparation = prepareSerialization(entry, module, wire);
    if (preparation.kind === 'unused') return preparation;
    folder.write(recordFiles.code(process.pid, entry.hash), serialize(module, addon));
    return {
      kind: 'code',
      flagHash: programFlagHash(),
      ...(preparation.forced && { forced: preparation.forced }),
    };
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }
}

/** TypeScript's library does not declare the compile options yet. */
const compile = (wire: Uint8Array, options: object | undefined): WebAssembly.Module =>
  Reflect.construct(Module, [wire, options]) as WebAssembly.Module;
