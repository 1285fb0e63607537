// Exports that inspect the process and its V8: reservedBy, handlesSegv, cpuFeatures, versionTag.

#include <v8.h>

#include <algorithm>
#include <atomic>
#include <csignal>

#include "address_space.h"
#include "exports.h"
#include "napi_values.h"

napi_value ReservedBy(napi_env env, napi_callback_info info) {
  napi_value arguments[1], receiver, created, result;
  double bytes = -1;
  if (!GetArguments(env, info, arguments)) return nullptr;
  double before = ReservedAddressSpace();
  if (before >= 0) {
    napi_get_undefined(env, &receiver);
    if (napi_call_function(env, receiver, arguments[0], 0, nullptr, &created) != napi_ok) return nullptr;
    double after = ReservedAddressSpace();
    // Not less than 0: other threads may have released address space meanwhile.
    if (after >= 0) bytes = std::max(0.0, after - before);
  }
  napi_create_double(env, bytes, &result);
  return result;
}

napi_value HandlesSegv(napi_env env, napi_callback_info) {
  napi_value result;
  bool handled = true;
#ifndef _WIN32
  struct sigaction action;
  handled = sigaction(SIGSEGV, nullptr, &action) == 0 && action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
  // V8 may do without guard regions then, and a test with a memory could use up the remaining address space.
  if (IsAddressSpaceLimited()) handled = false;
#endif
  napi_get_boolean(env, handled, &result);
  return result;
}

// One thread stores the word for all others, since finding it takes deserializing a small module.
napi_value CpuFeatures(napi_env env, napi_callback_info info) {
  static std::atomic<uint32_t> features{0};
  napi_value arguments[1], result;
  uint32_t found = 0;
  if (!GetArguments(env, info, arguments, 0)) return nullptr;
  if (napi_get_value_uint32(env, arguments[0], &found) == napi_ok) features = found;
  napi_create_uint32(env, features, &result);
  return result;
}

// Up to V8 12, the tag covers the CPU features, too.
napi_value VersionTag(napi_env env, napi_callback_info) {
  napi_value result;
  napi_create_uint32(env, v8::ScriptCompiler::CachedDataVersionTag(), &result);
  return result;
}
