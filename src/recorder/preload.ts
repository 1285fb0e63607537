/**
 * Runs in every node of a training run before the program (`--require`), in its workers, too: finds out which modules
 * the program loads, and at the end has V8 write what they executed into the run's folder. It never prints anything, and
 * whatever goes wrong in it must not reach the program.
 */
import { isMainThread, threadId } from 'node:worker_threads';
import { findAddon } from '../addon/files.ts';
import { installExitHook } from './exit.ts';
import { finish } from './finish.ts';
import { FOLDER_VARIABLE, names, RecordFolder } from './folder.ts';
import { prepare } from './functions.ts';
import { installHooks } from './hooks.ts';
import { FOREIGN, type LoadedWasm, Modules, type ModuleNews } from './modules.ts';
import { keepTraces } from './native.ts';
import { installSignalHandlers } from './signals.ts';
import { createTeller, installWorkerHook, listenToWorkers } from './workers.ts';

const path = process.env[FOLDER_VARIABLE];
const { bun, deno } = process.versions;

if (path && typeof WebAssembly === 'object' && !bun && !deno) {
  try {
    const folder = new RecordFolder(path);
    if (isMainThread) recordProcess(folder, path);
    else recordWorker(folder, path);
  } catch {
    // No access to the folder, a Node that is too different …
  }
}

function recordProcess(folder: RecordFolder, folderPath: string): void {
  const { pid, versions, argv, platform, arch } = process;
  const command = argv.slice(1);
  folder.write(names.process(pid), JSON.stringify({ pid, node: versions.node, v8: versions.v8, command }));
  keepTraces();
  const modules = new Modules(folder, threadId);
  const workers = listenToWorkers((news) => modules.learn(news));
  const end = once(() => {
    workers.drain();
    finish(folder, modules, findAddon({ platform, arch, abi: versions.modules }));
  });
  installExitHook(end);
  installSignalHandlers(end);
  install(folderPath, modules, () => workers.start());
}

function recordWorker(folder: RecordFolder, folderPath: string): void {
  const tell = createTeller();
  const modules = new Modules(folder, threadId, (news, instance) => {
    try {
      if (news !== FOREIGN && instance && news.start) optimiseOne(folder, news);
      tell(news === FOREIGN ? news : toNews(news));
    } catch {
      // The main thread compiles the bytes, and knows what other threads have told.
    }
  });
  install(folderPath, modules, () => undefined);
}

function install(folderPath: string, modules: Modules, beforeWorker: () => void): void {
  installHooks(modules);
  installWorkerHook(beforeWorker, folderPath, `--require=${JSON.stringify(__filename)}`);
  Object.defineProperty(globalThis, Symbol.for('wasm-precompile.recorder'), {
    configurable: true,
    value: (wire: ArrayBuffer, file: string) => {
      try {
        modules.add(new Uint8Array(wire), { file });
      } catch {
        // As for all other modules.
      }
    },
  });
}

/**
 * A module with a start function: the main thread cannot make an instance of it without running that, and the worker may
 * be gone then.
 */
function optimiseOne(folder: RecordFolder, entry: LoadedWasm): void {
  if (!entry.module || entry.ready) return;
  const preparation = prepare(entry, entry.module, folder.read(names.wire(entry.hash)));
  if (preparation.kind === 'unused') return;
  entry.ready = preparation.forced ? { forced: preparation.forced } : {};
}

function toNews({ hash, start, options, module, instantiated, ready }: LoadedWasm): ModuleNews {
  return { hash, start, options, module, instantiated, ready };
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}
