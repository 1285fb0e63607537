// The object that JavaScript sees of a mapping: the type `Contents` in src/runtime/node/addon.ts.

#ifndef WASM_PRECOMPILE_CONTENTS_H_
#define WASM_PRECOMPILE_CONTENTS_H_

#include <node_api.h>

#include "mapping.h"

// { handle, id, size, mapped, segments: (ArrayBuffer | undefined)[], crcs: number[] }
// Returns null and drops the reference if the environment is ending, since no code can use the object then.
napi_value MakeContents(napi_env env, Reference reference);

// Returns null for an object without a handle.
Reference* GetReference(napi_env env, napi_value contents);

#endif  // WASM_PRECOMPILE_CONTENTS_H_
