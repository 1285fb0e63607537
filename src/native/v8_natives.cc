// Native code through V8's natives, for V8 13 and earlier. JavaScript compiles and calls them; this file switches the
// flag that allows their syntax.

#include "embedder_api.h"

#ifndef HAS_EMBEDDER_API

#include <mutex>

#include "contents.h"
#include "deserialization.h"
#include "exports.h"
#include "napi_values.h"
#include "page_dropper.h"

namespace {

// Calls `compile` while the syntax of natives is allowed. Done here and not in JavaScript, because a worker that is
// terminated would skip the code that switches the flag off again.
napi_status CompileWithNatives(napi_env env, napi_value compile, napi_value* function) {
  napi_value receiver;
  napi_get_undefined(env, &receiver);
  v8::V8::SetFlagsFromString("--allow-natives-syntax");
  napi_status status = napi_call_function(env, receiver, compile, 0, nullptr, function);
  v8::V8::SetFlagsFromString("--no-allow-natives-syntax");
  return status;
}

// V8 caches the hash of all flags. A thread that is just starting may have cached that of flags that have changed
// since. Switching a flag that only V8's own tests read invalidates the cache.
void InvalidateFlagHash() {
  v8::V8::SetFlagsFromString("--no-testing-bool-flag");
  v8::V8::SetFlagsFromString("--testing-bool-flag");
}

}  // namespace

napi_value Serialize(napi_env, napi_callback_info) { return nullptr; }

// One thread of the process at a time: the flag that allows the syntax of natives belongs to all threads, and V8
// rejects native code while it is on.
napi_value Deserialize(napi_env env, napi_callback_info info) {
  napi_value arguments[5], receiver, function, module = nullptr;
  void* wire = nullptr;
  size_t wire_size = 0;
  if (!GetArguments(env, info, arguments) ||
      napi_get_arraybuffer_info(env, arguments[2], &wire, &wire_size) != napi_ok) {
    return nullptr;
  }
  napi_value parameters[] = {arguments[1], nullptr};
  if (napi_create_typedarray(env, napi_uint8_array, wire_size, arguments[2], 0, &parameters[1]) != napi_ok) {
    return nullptr;
  }
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  Reference* reference = GetReference(env, arguments[0]);
  PageDropper dropper(reference && reference->get() ? &(*reference)->view : nullptr);
  napi_get_undefined(env, &receiver);
  for (int attempt = 0; attempt < 5; attempt++) {
    if (PassesCheck(env, arguments[3])) {
      if (CompileWithNatives(env, arguments[4], &function) != napi_ok) return nullptr;
      if (napi_call_function(env, receiver, function, 2, parameters, &module) != napi_ok) return nullptr;
      napi_valuetype type;
      if (napi_typeof(env, module, &type) == napi_ok && type == napi_object) return MakeResult(env, module, true);
    }
    InvalidateFlagHash();
  }
  return nullptr;
}

#endif  // HAS_EMBEDDER_API
