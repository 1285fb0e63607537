// V8's embedder API for native code of wasm modules, which V8 has since version 14. Earlier versions have natives for
// it, which are called from JavaScript.

#ifndef WASM_PRECOMPILE_EMBEDDER_API_H_
#define WASM_PRECOMPILE_EMBEDDER_API_H_

#include <v8.h>

#if V8_MAJOR_VERSION >= 14
#define HAS_EMBEDDER_API 1
#include <v8-wasm.h>
#endif

#endif  // WASM_PRECOMPILE_EMBEDDER_API_H_
