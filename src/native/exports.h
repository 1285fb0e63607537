// The addon's exports, as src/runtime/node/addon.ts declares them. Comments give their signatures in JavaScript.

#ifndef WASM_PRECOMPILE_EXPORTS_H_
#define WASM_PRECOMPILE_EXPORTS_H_

#include <node_api.h>

// map_file.cc

// map(path, ranges, wire) -> () -> Contents | undefined
// Starts to prefetch the segments (prefetch.h). The result waits for them.
napi_value Map(napi_env env, napi_callback_info info);
// mapAsync(path, ranges, wire) -> Promise<Contents>
napi_value MapAsync(napi_env env, napi_callback_info info);
// open(id) -> Contents | undefined
// Opens another thread's mapping.
napi_value Open(napi_env env, napi_callback_info info);
// release(contents)
// Detaches the segments, and unmaps them if no other thread has them.
napi_value Release(napi_env env, napi_callback_info info);

// fill_memory.cc

// fill(path, range, memory) -> () -> crc | undefined
// Starts to copy the initial contents of a memory (memory_filler.h). The result waits for the copy.
napi_value StartFill(napi_env env, napi_callback_info info);

// probes.cc

// reservedBy(create) -> bytes of address space that a call of `create` takes, or -1 if that is unknown
napi_value ReservedBy(napi_env env, napi_callback_info info);
// handlesSegv() -> whether SIGSEGV has a handler, and address space is not limited
napi_value HandlesSegv(napi_env env, napi_callback_info info);
// cpuFeatures(found) -> the CPU features word that one thread has found, for all of the process; 0 before
napi_value CpuFeatures(napi_env env, napi_callback_info info);
// versionTag() -> V8's version and flags in one number
napi_value VersionTag(napi_env env, napi_callback_info info);

// v8_embedder_api.cc (V8 14 and later) or v8_natives.cc (before)

// serialize(module) -> ArrayBuffer | undefined
// Always undefined before V8 14, whose natives are called from JavaScript.
napi_value Serialize(napi_env env, napi_callback_info info);
// deserialize(contents, code, wire, check, compile) -> { accepted, module } | undefined
// `compile` is used before V8 14 only.
napi_value Deserialize(napi_env env, napi_callback_info info);

// deserialization_worker.cc

// startWorker(size) -> a worker that deserializes, or undefined
napi_value StartWorker(napi_env env, napi_callback_info info);

#endif  // WASM_PRECOMPILE_EXPORTS_H_
