/**
 * Runs before the program in every Node process and worker of a training run (`--require`). It records which
 * modules the program loads. At the end, V8 serializes them, with what was executed, into the run's folder.
 *
 * The script never prints anything, and its errors must not reach the program.
 */
import { isMainThread, threadId } from 'node:worker_threads';
import { findAddon } from '../addon/files.ts';
import { installExitHook } from './exit.ts';
import { finish } from './finish.ts';
import {
  type LoadedModule,
  LoadedModules,
  type ModuleMessage,
  TRANSFERRED_MODULE,
} from './loaded-modules.ts';
import { prepareSerialization } from './prepare-serialization.ts';
import { FOLDER_VARIABLE, recordFiles, RecordFolder } from './record-folder.ts';
import { installSignalHandlers } from './signals.ts';
import { preserveExecutionTraces } from './v8-natives.ts';
import { installHooks } from './webassembly-hooks.ts';
import { createMessageSender, installWorkerHook, receiveWorkerMessages } from './workers.ts';

const path = process.env[FOLDER_VARIABLE];
const { bun, deno } = process.versions;

if (path && typeof WebAssembly === 'object' && !bun && !deno) {
  try {
    const folder = new RecordFolder(path);
    if (isMainThread) recordProcess(folder, path);
    else recordWorker(folder, path);
  } catch {
    // The folder is not accessible, or this Node is too different: the program runs without the recorder.
  }
}

function recordProcess(folder: RecordFolder, folderPath: string): void {
  const { pid, versions, argv, platform, arch } = process;
  const { node, v8, modules: abi } = versions;
  folder.write(recordFiles.process(pid), JSON.stringify({ pid, node, v8, command: argv.slice(1) }));
  preserveExecutionTraces();
  const modules = new LoadedModules(folder, threadId);
  const workers = receiveWorkerMessages((message) => modules.receive(message));
  const end = once(() => {
    workers.drain();
    finish(folder, modules, findAddon({ platform, arch, abi }));
  });
  installExitHook(end);
  installSignalHandlers(end);
  install(folderPath, modules, () => workers.start());
}

function recordWorker(folder: RecordFolder, folderPath: string): void {
  const send = createMessageSender();
  const modules = new LoadedModules(folder, threadId, (change, instance) => {
    try {
      if (change === TRANSFERRED_MODULE) {
        send(change);
        return;
      }
      if (instance && change.hasStartFunction) optimiseOne(folder, change);
      send(toMessage(change));
    } catch {
      // The main thread compiles the saved bytes itself, and has the messages of the other threads.
    }
  });
  install(folderPath, modules, () => undefined);
}

function install(folderPath: string, modules: LoadedModules, beforeWorker: () => void): void {
  installHooks(modules);
  installWorkerHook(beforeWorker, folderPath, `--require=${JSON.stringify(__filename)}`);
  Object.defineProperty(globalThis, Symbol.for('wasm-precompile.recorder'), {
    configurable: true,
    value: (wire: ArrayBuffer, file: string) => {
      try {
        modules.add(new Uint8Array(wire), { file });
      } catch {
        // No space or no permission: the command reports that nothing was recorded.
      }
    },
  });
}

/**
 * Optimises a function of a module with a start function, in the worker that has an instance. The main thread cannot
 * create an instance without running the start function, and the worker may be gone at the end.
 */
function optimiseOne(folder: RecordFolder, entry: LoadedModule): void {
  if (!entry.module || entry.ready) return;
  const preparation = prepareSerialization(entry, entry.module, folder.read(recordFiles.wire(entry.hash)));
  if (preparation.kind === 'unused') return;
  entry.ready = preparation.forced ? { forced: preparation.forced } : {};
}

function toMessage(entry: LoadedModule): ModuleMessage {
  const { hash, hasStartFunction, options, module, instantiated, ready } = entry;
  return { hash, hasStartFunction, options, module, instantiated, ready };
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}
