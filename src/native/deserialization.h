// Common to both ways of passing native code to V8.

#ifndef WASM_PRECOMPILE_DESERIALIZATION_H_
#define WASM_PRECOMPILE_DESERIALIZATION_H_

#include <node_api.h>

// Calls `check`, which returns whether V8 runs with the flags of the native code. True if `check` is undefined.
bool PassesCheck(napi_env env, napi_value check);

// { accepted, module }
napi_value MakeResult(napi_env env, napi_value module, bool accepted);

#endif  // WASM_PRECOMPILE_DESERIALIZATION_H_
