// The export that fills the memory of a split module: fill.

#include <memory>
#include <string>
#include <utility>

#include "exports.h"
#include "memory_filler.h"
#include "napi_values.h"

namespace {

// A memory that is being filled. It holds a reference to the ArrayBuffer until the copy is complete.
struct Fill {
  Fill(napi_env env, std::string path, Segment segment, uint8_t* memory, size_t size)
      : env(env), path(path), filler(std::move(path), segment, memory, size) {}
  ~Fill() { Finish(); }
  int Finish() {
    int error = filler.Join();
    if (memory != nullptr) napi_delete_reference(env, std::exchange(memory, nullptr));
    return error;
  }
  napi_env env;
  std::string path;
  napi_ref memory = nullptr;
  MemoryFiller filler;
};

napi_value Wait(napi_env env, napi_callback_info info) {
  napi_value crc = nullptr;
  auto* fill = GetOwnState<Fill>(env, info);
  if (fill == nullptr) return nullptr;
  int error = fill->Finish();
  if (error != 0) {
    napi_throw(env, MakeOpenError(env, fill->path, error));
  } else if (fill->filler.filled()) {
    napi_create_uint32(env, fill->filler.crc(), &crc);
  }
  return crc;
}

}  // namespace

napi_value StartFill(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  void* memory = nullptr;
  size_t size = 0;
  if (!GetArguments(env, info, arguments) || napi_get_arraybuffer_info(env, arguments[2], &memory, &size) != napi_ok) {
    return nullptr;
  }
  auto fill = std::make_unique<Fill>(env, GetString(env, arguments[0]), GetSegment(env, arguments[1]),
                                     static_cast<uint8_t*>(memory), size);
  if (napi_create_reference(env, arguments[2], 1, &fill->memory) != napi_ok) return nullptr;
  fill->filler.Start();
  return MakeOwningFunction(env, Wait, std::move(fill));
}
