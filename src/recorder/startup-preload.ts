/**
 * Runs in every node of a measured start before the program (`--require`), in its workers, too: finds out how long each
 * step of each module's start takes, and writes that into the run's folder at the end. Like `preload.ts`, it never prints
 * anything, and whatever goes wrong in it must not reach the program.
 */
import { isMainThread, threadId } from 'node:worker_threads';
import { installUnwrapping } from './first-call.ts';
import { FOLDER_VARIABLE, names, RecordFolder } from './folder.ts';
import { installHooks } from './hooks.ts';
import { installSignalHandlers } from './signals.ts';
import { Starts } from './startups.ts';
import { installWorkerHook } from './workers.ts';

/** Milliseconds without news after which a worker writes: it may be terminated without an event. */
const QUIET = 200;

const path = process.env[FOLDER_VARIABLE];
const { bun, deno } = process.versions;

if (path && typeof WebAssembly === 'object' && !bun && !deno) {
  try {
    const folder = new RecordFolder(path);
    if (isMainThread) recordProcess(folder);
    install(folder, path);
  } catch {
    // No access to the folder, a Node that is too different …
  }
}

function recordProcess(folder: RecordFolder): void {
  const { pid, versions, argv } = process;
  const { node, v8 } = versions;
  folder.write(names.process(pid), JSON.stringify({ pid, node, v8, command: argv.slice(1) }));
}

function install(folder: RecordFolder, folderPath: string): void {
  let timer: NodeJS.Timeout | undefined;
  const starts = new Starts(() => {
    if (isMainThread) return;
    timer ??= setTimeout(save, QUIET).unref();
    timer.refresh();
  });
  const save = () => {
    try {
      const { timeOrigin } = performance;
      folder.write(names.starts(process.pid, threadId), JSON.stringify({ timeOrigin, starts: starts.all }));
      if (isMainThread) folder.write(names.end(process.pid), '');
    } catch {
      // The folder is gone or full: the command says that nothing was seen.
    }
  };
  process.on('exit', save);
  if (isMainThread) installSignalHandlers(save);
  installHooks(starts);
  installUnwrapping();
  installWorkerHook(() => undefined, folderPath, `--require=${JSON.stringify(__filename)}`);
  Object.defineProperty(globalThis, Symbol.for('wasm-precompile.observer'), {
    configurable: true,
    value: (file: string) => starts.observe(file),
  });
}
