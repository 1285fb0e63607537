// The native addon: maps artifacts, and passes native code to V8. exports.h lists the exports.
//
// Node-API throughout, so that Node takes care of environments that end while a thread still works for them. Its plain
// C interface, without node-addon-api: `wasm-precompile addon build` compiles this folder on users' machines with
// nothing but the headers of Node, and the binary must stay small, since every startup reads all of it.

#include <node_api.h>

#include "clock.h"
#include "exports.h"

#ifdef __GLIBC__
// libstdc++'s reference counts read this to decide whether they may do without atomic operations. glibc has it since
// 2.32, but Node runs on 2.28. False is always correct.
extern "C" {
__attribute__((visibility("hidden"))) char __libc_single_threaded = 0;
}
#endif

namespace {

napi_value Init(napi_env env, napi_value exports) {
  MeasureClock();
  const struct {
    const char* name;
    napi_callback function;
  } functions[] = {{"map", Map},
                   {"mapAsync", MapAsync},
                   {"fill", StartFill},
                   {"open", Open},
                   {"release", Release},
                   {"serialize", Serialize},
                   {"deserialize", Deserialize},
                   {"reservedBy", ReservedBy},
                   {"handlesSegv", HandlesSegv},
                   {"cpuFeatures", CpuFeatures},
                   {"versionTag", VersionTag},
                   {"startWorker", StartWorker}};
  for (const auto& [name, callback] : functions) {
    napi_value function;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
    napi_set_named_property(env, exports, name, function);
  }
  return exports;
}

}  // namespace

NAPI_MODULE(NODE_GYP_MODULE_NAME, Init)
