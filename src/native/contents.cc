#include "contents.h"

#include <cstring>
#include <memory>
#include <utility>

#include "napi_values.h"

namespace {

napi_value MakeArrayBuffer(napi_env env, const Segment& segment) {
  napi_value buffer = nullptr;
  // Without a finalizer: `release` detaches the buffer before it unmaps the segment.
  if (napi_create_external_arraybuffer(
          env, segment.data, segment.size, [](napi_env, void*, void*) {}, nullptr, &buffer) == napi_ok) {
    return buffer;
  }
  // Engines with a sandbox for array buffers do not allow external memory.
  void* copy = nullptr;
  if (napi_create_arraybuffer(env, segment.size, &copy, &buffer) != napi_ok) return nullptr;
  memcpy(copy, segment.data, segment.size);
  return buffer;
}

// { segments, crcs }
void SetSegments(napi_env env, napi_value object, const Mapping& mapping) {
  napi_value segments, crcs;
  napi_create_array(env, &segments);
  napi_create_array(env, &crcs);
  uint32_t i = 0;
  for (const Segment& segment : mapping.view.segments()) {
    napi_value buffer = segment.data ? MakeArrayBuffer(env, segment) : nullptr;
    if (buffer) napi_set_element(env, segments, i, buffer);
    i++;
  }
  i = 0;
  for (uint32_t crc : mapping.crcs) {
    napi_value number;
    napi_create_uint32(env, crc, &number);
    napi_set_element(env, crcs, i++, number);
  }
  napi_set_named_property(env, object, "segments", segments);
  napi_set_named_property(env, object, "crcs", crcs);
}

}  // namespace

napi_value MakeContents(napi_env env, Reference reference) {
  napi_value object, handle, mapped;
  auto owned = std::make_unique<Reference>(std::move(reference));
  Mapping* mapping = owned->get();
  if (napi_create_external(
          env, owned.get(), [](napi_env, void* data, void*) { delete static_cast<Reference*>(data); }, nullptr,
          &handle) != napi_ok) {
    return nullptr;
  }
  owned.release();
  napi_create_object(env, &object);
  SetNumber(env, object, "id", mapping->id);
  SetNumber(env, object, "size", static_cast<double>(mapping->view.size()));
  napi_get_boolean(env, mapping->view.mapped(), &mapped);
  napi_set_named_property(env, object, "mapped", mapped);
  SetSegments(env, object, *mapping);
  napi_set_named_property(env, object, "handle", handle);
  return object;
}

Reference* GetReference(napi_env env, napi_value contents) {
  napi_value handle;
  void* data = nullptr;
  if (napi_get_named_property(env, contents, "handle", &handle) != napi_ok) return nullptr;
  napi_get_value_external(env, handle, &data);
  return static_cast<Reference*>(data);
}
