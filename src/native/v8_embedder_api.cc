// Native code through V8's embedder API (v8-wasm.h), for V8 14 and later.

#include "embedder_api.h"

#ifdef HAS_EMBEDDER_API

#include <cstring>
#include <memory>
#include <utility>
#include <variant>

#include "contents.h"
#include "deserialization.h"
#include "exports.h"
#include "napi_values.h"
#include "page_dropper.h"

namespace {

// Node-API's values are V8's handles (node's src/js_native_api_v8.h asserts it).
static_assert(sizeof(napi_value) == sizeof(v8::Local<v8::Value>));

v8::Local<v8::Value> ToV8(napi_value value) {
  v8::Local<v8::Value> local;
  memcpy(static_cast<void*>(&local), &value, sizeof value);
  return local;
}

napi_value FromV8(v8::Local<v8::Value> local) {
  napi_value value;
  memcpy(&value, static_cast<void*>(&local), sizeof value);
  return value;
}

std::unique_ptr<v8::WasmModuleCompilation> StartCompilation(const void* wire, size_t size) {
  auto compilation = std::make_unique<v8::WasmModuleCompilation>();
  compilation->SetHasCompiledModuleBytes();
  compilation->OnBytesReceived(static_cast<const uint8_t*>(wire), size);
  return compilation;
}

}  // namespace

napi_value Serialize(napi_env env, napi_callback_info info) {
  napi_value arguments[1], buffer = nullptr;
  if (!GetArguments(env, info, arguments)) return nullptr;
  v8::Local<v8::Value> module = ToV8(arguments[0]);
  if (!module->IsWasmModuleObject()) return nullptr;
  v8::OwnedBuffer code = module.As<v8::WasmModuleObject>()->GetCompiledModule().Serialize();
  void* copy = nullptr;
  if (code.size == 0 || napi_create_arraybuffer(env, code.size, &copy, &buffer) != napi_ok) return nullptr;
  memcpy(copy, code.buffer.get(), code.size);
  return buffer;
}

napi_value Deserialize(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  if (!GetArguments(env, info, arguments, 3) || !PassesCheck(env, arguments[3])) return nullptr;
  Reference* reference = GetReference(env, arguments[0]);
  Mapping* mapping = reference ? reference->get() : nullptr;
  void* code = nullptr;
  void* wire = nullptr;
  size_t code_size = 0, wire_size = 0;
  if (napi_get_arraybuffer_info(env, arguments[1], &code, &code_size) != napi_ok ||
      napi_get_arraybuffer_info(env, arguments[2], &wire, &wire_size) != napi_ok) {
    return nullptr;
  }
  v8::Isolate* isolate = v8::Isolate::GetCurrent();
  std::unique_ptr<v8::WasmModuleCompilation> compilation = mapping ? std::move(mapping->compilation) : nullptr;
  if (!compilation) compilation = StartCompilation(wire, wire_size);
  PageDropper dropper(mapping ? &mapping->view : nullptr);
  // V8 may call the second callback after `Finish` has returned (never observed). The load then fails, and the callback
  // may still write to the outcome, which is never deleted. Not a shared_ptr: that of libstdc++ 12 needs a newer glibc
  // than Node does.
  struct Outcome {
    bool accepted = false;
    v8::Global<v8::Value> module;
  };
  auto* outcome = new Outcome();
  compilation->Finish(
      isolate,
      [=](auto& caching) {
        outcome->accepted = caching.SetCachedCompiledModuleBytes({static_cast<const uint8_t*>(code), code_size});
      },
      [=](auto module_or_error) {
        if (auto* module = std::get_if<v8::Local<v8::WasmModuleObject>>(&module_or_error)) {
          outcome->module.Reset(isolate, v8::Local<v8::Value>(*module));
        }
      });
  if (outcome->module.IsEmpty()) return nullptr;
  napi_value result = MakeResult(env, FromV8(outcome->module.Get(isolate)), outcome->accepted);
  delete outcome;
  return result;
}

#endif  // HAS_EMBEDDER_API
