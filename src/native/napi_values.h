// Conversions between values of JavaScript and C++.

#ifndef WASM_PRECOMPILE_NAPI_VALUES_H_
#define WASM_PRECOMPILE_NAPI_VALUES_H_

#include <node_api.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "file_view.h"

// Missing arguments beyond the first `least` are undefined.
template <size_t N>
bool GetArguments(napi_env env, napi_callback_info info, napi_value (&arguments)[N], size_t least = N) {
  size_t count = N;
  return napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr) == napi_ok && count >= least;
}

std::string GetString(napi_env env, napi_value value);

// Reads a range: { offset, size }.
Segment GetSegment(napi_env env, napi_value range);

std::vector<Segment> GetSegments(napi_env env, napi_value array);

void SetNumber(napi_env env, napi_value object, const char* name, double number);

// An Error for a file that could not be opened, with the property `code` except on Windows.
napi_value MakeOpenError(napi_env env, const std::string& path, int code);

// Creates a function that owns `state`, and receives it as its data. The garbage collector deletes both together.
// Returns null if the environment is ending.
template <typename State>
napi_value MakeOwningFunction(napi_env env, napi_callback callback, std::unique_ptr<State> state) {
  napi_value function = nullptr;
  auto drop = [](napi_env, void* data, void*) { delete static_cast<State*>(data); };
  if (napi_create_function(env, nullptr, 0, callback, state.get(), &function) != napi_ok ||
      napi_add_finalizer(env, function, state.get(), drop, nullptr, nullptr) != napi_ok) {
    return nullptr;
  }
  state.release();
  return function;
}

// The state of the owning function that is being called.
template <typename State>
State* GetOwnState(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  napi_status status = napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data);
  return status == napi_ok ? static_cast<State*>(data) : nullptr;
}

#endif  // WASM_PRECOMPILE_NAPI_VALUES_H_
