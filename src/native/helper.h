// Deserializing on another thread. V8 does it in one piece, on the thread that asks: for 43 MB of native code the main
// thread would stand still for 60 ms. A worker does it instead and hands the module over; the threads share its code.
// JavaScript, but here and not in src/runtime, which every program carries in its bundle.

#ifndef WASM_PRECOMPILE_HELPER_H_
#define WASM_PRECOMPILE_HELPER_H_

// Bytes of native code. With less, a worker takes longer to start than the thread pool to read ahead, and the load would
// take longer as a whole (`npm run bench:blocked`).
inline constexpr double kHelperSize = 32 << 20;

// What the export `startWorker` does, as src/runtime/node/addon.ts declares it: `this` are the exports. The worker runs nothing of the program: no preload
// scripts, no options from outside. Where there may be none (the permission model, no more threads), or where it ends
// without an answer, the caller does the work itself. Not in workers: they are there to be busy.
inline constexpr char kStartHelper[] = R"js(
(function startWorker(source) {
  const { Worker, isMainThread } = process.getBuiltinModule('node:worker_threads');
  if (!isMainThread) return;
  try {
    const worker = new Worker(source, { eval: true, execArgv: [], env: {}, workerData: this.file });
    const answer = new Promise((resolve) => {
      for (const event of ['message', 'messageerror', 'error', 'exit']) worker.on(event, resolve);
    });
    return {
      deserialize({ id }, flagHash) {
        worker.postMessage([id, flagHash]);
        return answer;
      },
      stop: () => worker.terminate(),
    };
  } catch {}
})
)js";

// The source of the worker. It gets the path of this addon at its start, then the id of a mapping and the flag hash of the
// native code; it answers { module }, without a module where V8 refused the native code, and ends.
inline constexpr char kWorker[] = R"js(
const { runInThisContext, Script } = require('node:vm');
const { parentPort, workerData } = require('node:worker_threads');
const binary = { exports: {} };
process.dlopen(binary, workerData);
const addon = binary.exports;
// Both as in src/runtime/node/natives.ts.
const check = (flagHash) => new Script('0').createCachedData().readUInt32LE(12) === flagHash;
const compile = () => runInThisContext('(function(c,w){return %DeserializeWasmModule(c,w)})');
parentPort.once('message', ([id, flagHash]) => {
  const contents = addon.open(id);
  const [, wire, code] = contents.segments;
  const result = addon.deserialize(contents, code, wire, () => check(flagHash), compile);
  addon.release(contents);
  parentPort.postMessage(result?.accepted ? result : {});
});
)js";

#endif  // WASM_PRECOMPILE_HELPER_H_
