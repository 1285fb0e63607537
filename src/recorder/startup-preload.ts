/**
 * Runs before the program in every Node process and worker of a measured startup (`--require`). It measures how
 * long each step takes to start each module, and writes that into the run's folder at the end.
 *
 * Like `preload.ts`, the script never prints anything, and its errors must not reach the program.
 */
import { isMainThread, threadId } from 'node:worker_threads';
import { installUnwrapping } from './first-call.ts';
import { StartupObserver } from './observed-startups.ts';
import { FOLDER_VARIABLE, type ObservedStartups, recordFiles, RecordFolder } from './record-folder.ts';
import { installSignalHandlers } from './signals.ts';
import { installHooks } from './webassembly-hooks.ts';
import { installWorkerHook } from './workers.ts';

/** Milliseconds without a new step after which a worker writes its results: it may be terminated without an event. */
const QUIET = 200;

const path = process.env[FOLDER_VARIABLE];
const { bun, deno } = process.versions;

if (path && typeof WebAssembly === 'object' && !bun && !deno) {
  try {
    const folder = new RecordFolder(path);
    if (isMainThread) recordProcess(folder);
    install(folder, path);
  } catch {
    // The folder is not accessible, or this Node is too different: the program runs without the recorder.
  }
}

function recordProcess(folder: RecordFolder): void {
  const { pid, versions, argv } = process;
  const { node, v8 } = versions;
  folder.write(recordFiles.process(pid), JSON.stringify({ pid, node, v8, command: argv.slice(1) }));
}

function install(folder: RecordFolder, folderPath: string): void {
  let timer: NodeJS.Timeout | undefined;
  const observer = new StartupObserver(() => {
    if (isMainThread) return;
    timer ??= setTimeout(save, QUIET).unref();
    timer.refresh();
  });
  const save = () => {
    try {
      const observed: ObservedStartups = { timeOrigin: performance.timeOrigin, startups: observer.all };
      folder.write(recordFiles.startups(process.pid, threadId), JSON.stringify(observed));
      if (isMainThread) folder.write(recordFiles.end(process.pid), '');
    } catch {
      // The folder is gone or the disk is full: the command reports that no module was observed.
    }
  };
  process.on('exit', save);
  if (isMainThread) installSignalHandlers(save);
  installHooks(observer);
  installUnwrapping();
  installWorkerHook(() => undefined, folderPath, `--require=${JSON.stringify(__filename)}`);
  Object.defineProperty(globalThis, Symbol.for('wasm-precompile.observer'), {
    configurable: true,
    value: (file: string) => observer.observe(file),
  });
}
