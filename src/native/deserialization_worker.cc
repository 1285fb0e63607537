#include "deserialization_worker.h"

#include "exports.h"

namespace {

// The implementation of `startWorker`, as src/runtime/node/addon.ts declares it. It is JavaScript, but lies here and
// not in src/runtime, because every program carries the runtime in its bundle. `this` is the addon's exports.
//
// The worker runs no code of the program: no preload scripts, no options from outside. The caller deserializes itself
// if there can be no worker (the permission model, no more threads) or if it ends without a result. Workers of the
// program start none, since blocking them is acceptable.
constexpr char kStartWorker[] = R"js(
(function startWorker(source) {
  const { Worker, isMainThread } = process.getBuiltinModule('node:worker_threads');
  if (!isMainThread) return;
  try {
    const worker = new Worker(source, { eval: true, execArgv: [], env: {}, workerData: this.file });
    const result = new Promise((resolve) => {
      for (const event of ['message', 'messageerror', 'error', 'exit']) worker.on(event, resolve);
    });
    return {
      deserialize({ id }, flagHash) {
        worker.postMessage([id, flagHash]);
        return result;
      },
      stop: () => worker.terminate(),
    };
  } catch {}
})
)js";

// The worker's source. `workerData` is the path of this addon. A message carries the id of a mapping and the flag hash
// of the native code. The worker posts `{ module }`, or `{}` if V8 rejected the native code, and ends.
constexpr char kWorker[] = R"js(
const { runInThisContext, Script } = require('node:vm');
const { parentPort, workerData } = require('node:worker_threads');
const binary = { exports: {} };
process.dlopen(binary, workerData);
const addon = binary.exports;
// Both as in src/runtime/node/natives.ts.
const FLAG_HASH_OFFSET = 12;
const check = (flagHash) => new Script('0').createCachedData().readUInt32LE(FLAG_HASH_OFFSET) === flagHash;
const compile = () => runInThisContext('(function(c,w){return %DeserializeWasmModule(c,w)})');
parentPort.once('message', ([id, flagHash]) => {
  const contents = addon.open(id);
  const [, wire, code] = contents.segments;
  const result = addon.deserialize(contents, code, wire, () => check(flagHash), compile);
  addon.release(contents);
  parentPort.postMessage(result?.accepted ? result : {});
});
)js";

}  // namespace

napi_value StartWorker(napi_env env, napi_callback_info info) {
  napi_value arguments[1], receiver, source, script, start, worker = nullptr;
  size_t count = 1;
  double size = 0;
  // Most loads need no worker, and compiling a script takes 0.1 ms.
  if (napi_get_cb_info(env, info, &count, arguments, &receiver, nullptr) != napi_ok ||
      napi_get_value_double(env, arguments[0], &size) != napi_ok || size < kMinWorkerSize ||
      napi_create_string_utf8(env, kWorker, NAPI_AUTO_LENGTH, &source) != napi_ok ||
      napi_create_string_utf8(env, kStartWorker, NAPI_AUTO_LENGTH, &script) != napi_ok ||
      napi_run_script(env, script, &start) != napi_ok ||
      napi_call_function(env, receiver, start, 1, &source, &worker) != napi_ok) {
    return nullptr;
  }
  return worker;
}
