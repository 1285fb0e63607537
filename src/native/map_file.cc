// Exports that map files: map, mapAsync, open, release.

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "contents.h"
#include "exports.h"
#include "napi_values.h"
#include "prefetch.h"

namespace {

// A file that is being prefetched.
struct Load {
  Load(std::string path, Reference mapping, int32_t wire, bool in_worker)
      : path(std::move(path)), prefetch(std::move(mapping), wire, in_worker) {}
  std::string path;
  Prefetch prefetch;
  // The error number of the call that failed to open the file, or 0.
  int error = 0;
  napi_deferred deferred = nullptr;
  napi_async_work work = nullptr;
};

std::unique_ptr<Load> MakeLoad(napi_env env, napi_callback_info info, bool in_worker) {
  napi_value arguments[3];
  if (!GetArguments(env, info, arguments, 2)) return nullptr;
  int32_t wire = -1;
  napi_get_value_int32(env, arguments[2], &wire);
  return std::make_unique<Load>(GetString(env, arguments[0]), Reference::Create(GetSegments(env, arguments[1])), wire,
                                in_worker);
}

napi_value Wait(napi_env env, napi_callback_info info) {
  auto* load = GetOwnState<Load>(env, info);
  if (load == nullptr) return nullptr;
  if (load->error != 0) {
    napi_throw(env, MakeOpenError(env, load->path, load->error));
    return nullptr;
  }
  load->prefetch.Finish();
  Reference mapping = load->prefetch.Take();
  return mapping.get() == nullptr ? nullptr : MakeContents(env, std::move(mapping));
}

// Runs on a thread of Node's thread pool, so it must not call JavaScript.
void ExecuteMap(napi_env, void* data) {
  auto* load = static_cast<Load*>(data);
  load->error = load->prefetch.Open(load->path);
  if (load->error != 0) return;
  load->prefetch.Start();
  load->prefetch.Finish();
}

void CompleteMap(napi_env env, napi_status status, void* data) {
  std::unique_ptr<Load> load(static_cast<Load*>(data));
  if (status == napi_ok && load->error == 0) {
    napi_resolve_deferred(env, load->deferred, MakeContents(env, load->prefetch.Take()));
  } else {
    int error = status == napi_ok ? load->error : ECANCELED;
    napi_reject_deferred(env, load->deferred, MakeOpenError(env, load->path, error));
  }
  napi_delete_async_work(env, load->work);
}

// Returns whether all segments of contents are detached.
bool DetachSegments(napi_env env, napi_value segments) {
  uint32_t count = 0;
  napi_get_array_length(env, segments, &count);
  bool detached = true;
  for (uint32_t i = 0; i < count; i++) {
    napi_value buffer;
    bool is_buffer = false;
    napi_get_element(env, segments, i, &buffer);
    napi_is_arraybuffer(env, buffer, &is_buffer);
    if (is_buffer && napi_detach_arraybuffer(env, buffer) != napi_ok) detached = false;
  }
  return detached;
}

}  // namespace

napi_value Map(napi_env env, napi_callback_info info) {
  std::unique_ptr<Load> load = MakeLoad(env, info, false);
  if (!load) return nullptr;
  load->error = load->prefetch.Open(load->path);
  if (load->error == 0) {
    load->prefetch.Start();
  } else {
    load->prefetch.Cancel();
  }
  return MakeOwningFunction(env, Wait, std::move(load));
}

napi_value MapAsync(napi_env env, napi_callback_info info) {
  napi_value promise, name;
  std::unique_ptr<Load> load = MakeLoad(env, info, true);
  if (!load) return nullptr;
  napi_create_promise(env, &load->deferred, &promise);
  napi_create_string_utf8(env, "wasm-precompile", NAPI_AUTO_LENGTH, &name);
  Load* data = load.release();
  napi_create_async_work(env, nullptr, name, ExecuteMap, CompleteMap, data, &data->work);
  napi_queue_async_work(env, data->work);
  return promise;
}

napi_value Open(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  uint32_t id = 0;
  if (!GetArguments(env, info, arguments) || napi_get_value_uint32(env, arguments[0], &id) != napi_ok) return nullptr;
  Reference mapping = Reference::Find(id);
  return mapping.get() == nullptr ? nullptr : MakeContents(env, std::move(mapping));
}

napi_value Release(napi_env env, napi_callback_info info) {
  napi_value arguments[1], segments;
  if (!GetArguments(env, info, arguments)) return nullptr;
  Reference* reference = GetReference(env, arguments[0]);
  if (!reference || napi_get_named_property(env, arguments[0], "segments", &segments) != napi_ok) return nullptr;
  if (DetachSegments(env, segments)) {
    reference->Drop();
  } else if (reference->get() != nullptr) {
    // JavaScript can still read the memory, so it stays until the garbage collector finds the handle.
    (*reference)->AbortCompilation();
  }
  return nullptr;
}
