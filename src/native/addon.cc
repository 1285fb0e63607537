// The native loader: maps artifacts, and hands native code to V8 through its public embedder API (V8 >= 14; before,
// V8's natives do it from JavaScript). Node-API throughout, so that Node cares for environments that end while a
// thread still works for them.
//
// Exports, as src/runtime/node/addon.ts declares them:
//   map(path, ranges, wire) -> () -> Contents      starts to read ahead (read_ahead.h), and gives what waits for it
//   mapAsync(path, ranges, wire) -> Promise<Contents>
//   fill(path, range, memory) -> () -> crc | undefined   starts to copy a memory's contents (memory_filler.h), and gives what waits
//   open(id) -> Contents | undefined               the same mapping in another thread
//   release(contents)                              detaches the segments; the last thread's unmaps them
//   serialize(module) -> ArrayBuffer | undefined   V8 >= 14
//   deserialize(contents, code, wire, check, compile) -> { accepted, module } | undefined   `compile`: V8 < 14
//   reservedBy(create) -> bytes of address space that calling `create` took, or -1 where that cannot be known
//   handlesSegv() -> whether somebody handles SIGSEGV, in an address space without limit
//   cpuFeatures(found) -> what one thread has found, for all of the process; 0 before
//   startWorker(size) -> a worker that deserializes (helper.h), or undefined
//   versionTag() -> V8's version and flags in one number

#include <node_api.h>
#include <uv.h>
#include <v8.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <mutex>
#include <utility>

#include "address_space.h"
#include "clock.h"
#include "file_view.h"
#include "forget.h"
#include "helper.h"
#include "mapping.h"
#include "memory_filler.h"
#include "read_ahead.h"

#ifdef __GLIBC__
// libstdc++'s reference counts look here for whether they may do without atomic operations. glibc has it since 2.32;
// Node runs on 2.28. False is always right.
extern "C" {
__attribute__((visibility("hidden"))) char __libc_single_threaded = 0;
}
#endif

namespace {

// Node-API's values are V8's handles (node's src/js_native_api_v8.h asserts it).
static_assert(sizeof(napi_value) == sizeof(v8::Local<v8::Value>));

[[maybe_unused]] v8::Local<v8::Value> ToV8(napi_value value) {
  v8::Local<v8::Value> local;
  memcpy(static_cast<void*>(&local), &value, sizeof value);
  return local;
}

[[maybe_unused]] napi_value FromV8(v8::Local<v8::Value> local) {
  napi_value value;
  memcpy(&value, static_cast<void*>(&local), sizeof value);
  return value;
}

std::string GetString(napi_env env, napi_value value) {
  size_t length = 0;
  napi_get_value_string_utf8(env, value, nullptr, 0, &length);
  std::string text(length, '\0');
  napi_get_value_string_utf8(env, value, text.data(), length + 1, &length);
  return text;
}

// { offset, size }
Segment GetSegment(napi_env env, napi_value range) {
  napi_value number;
  int64_t offset = 0, size = 0;
  if (napi_get_named_property(env, range, "offset", &number) == napi_ok) napi_get_value_int64(env, number, &offset);
  if (napi_get_named_property(env, range, "size", &number) == napi_ok) napi_get_value_int64(env, number, &size);
  return {static_cast<uint64_t>(offset), static_cast<uint64_t>(size)};
}

std::vector<Segment> GetSegments(napi_env env, napi_value array) {
  uint32_t count = 0;
  napi_get_array_length(env, array, &count);
  std::vector<Segment> segments;
  for (uint32_t i = 0; i < count; i++) {
    napi_value range;
    if (napi_get_element(env, array, i, &range) == napi_ok) segments.push_back(GetSegment(env, range));
  }
  return segments;
}

void SetNumber(napi_env env, napi_value object, const char* name, double number) {
  napi_value value;
  napi_create_double(env, number, &value);
  napi_set_named_property(env, object, name, value);
}

napi_value OpenError(napi_env env, const std::string& path, int code) {
  napi_value message, error;
  std::string text = "cannot open " + path + ": ";
#ifdef _WIN32
  text += "error " + std::to_string(code);
#else
  text += strerror(code);
#endif
  napi_create_string_utf8(env, text.c_str(), text.size(), &message);
  napi_create_error(env, nullptr, message, &error);
#ifndef _WIN32
  napi_value name;
  napi_create_string_utf8(env, code == ENOENT ? "ENOENT" : code == EACCES ? "EACCES" : "EIO", NAPI_AUTO_LENGTH, &name);
  napi_set_named_property(env, error, "code", name);
#endif
  return error;
}

napi_value MakeArrayBuffer(napi_env env, const Segment& segment) {
  napi_value buffer = nullptr;
  // The mapping outlives the buffer's contents: `release` detaches it first.
  if (napi_create_external_arraybuffer(
          env, segment.data, segment.size, [](napi_env, void*, void*) {}, nullptr, &buffer) == napi_ok) {
    return buffer;
  }
  // Engines with a sandbox for array buffers do not allow foreign memory.
  void* copy = nullptr;
  if (napi_create_arraybuffer(env, segment.size, &copy, &buffer) != napi_ok) return nullptr;
  memcpy(copy, segment.data, segment.size);
  return buffer;
}

// { handle, id, size, mapped, segments: (ArrayBuffer | undefined)[], crcs: number[] }
// Null where the environment is ending: nobody will ask for the mapping any more, and it is released here.
napi_value MakeMapping(napi_env env, Reference reference) {
  napi_value object, handle, segments, crcs, mapped;
  auto owned = std::make_unique<Reference>(std::move(reference));
  Mapping* mapping = owned->get();
  if (napi_create_external(
          env, owned.get(), [](napi_env, void* data, void*) { delete static_cast<Reference*>(data); }, nullptr,
          &handle) != napi_ok) {
    return nullptr;
  }
  owned.release();
  napi_create_object(env, &object);
  napi_create_array(env, &segments);
  napi_create_array(env, &crcs);
  uint32_t i = 0;
  for (const Segment& segment : mapping->view.segments()) {
    napi_value buffer = segment.data ? MakeArrayBuffer(env, segment) : nullptr;
    if (buffer) napi_set_element(env, segments, i, buffer);
    i++;
  }
  i = 0;
  for (uint32_t crc : mapping->crcs) {
    napi_value number;
    napi_create_uint32(env, crc, &number);
    napi_set_element(env, crcs, i++, number);
  }
  SetNumber(env, object, "id", mapping->id);
  SetNumber(env, object, "size", static_cast<double>(mapping->view.size()));
  napi_get_boolean(env, mapping->view.mapped(), &mapped);
  napi_set_named_property(env, object, "mapped", mapped);
  napi_set_named_property(env, object, "segments", segments);
  napi_set_named_property(env, object, "crcs", crcs);
  napi_set_named_property(env, object, "handle", handle);
  return object;
}

// Those that are missing are undefined.
template <size_t N>
bool GetArguments(napi_env env, napi_callback_info info, napi_value (&arguments)[N], size_t least = N) {
  size_t count = N;
  return napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr) == napi_ok && count >= least;
}

// A file that is being read ahead.
struct Load {
  Load(std::string path, Reference mapping, int32_t wire, bool helped)
      : path(std::move(path)), reading(std::move(mapping), wire, helped) {}
  std::string path;
  ReadAhead reading;
  // What went wrong when the file was opened, or 0.
  int error = 0;
  napi_deferred deferred = nullptr;
  napi_async_work work = nullptr;
};

std::unique_ptr<Load> MakeLoad(napi_env env, napi_callback_info info, bool helped) {
  napi_value arguments[3];
  if (!GetArguments(env, info, arguments, 2)) return nullptr;
  int32_t wire = -1;
  napi_get_value_int32(env, arguments[2], &wire);
  return std::make_unique<Load>(GetString(env, arguments[0]), Reference::Create(GetSegments(env, arguments[1])), wire,
                                helped);
}

napi_value Wait(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  if (napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data) != napi_ok) return nullptr;
  auto* load = static_cast<Load*>(data);
  if (load->error != 0) {
    napi_throw(env, OpenError(env, load->path, load->error));
    return nullptr;
  }
  load->reading.Finish();
  Reference mapping = load->reading.Take();
  return mapping.get() == nullptr ? nullptr : MakeMapping(env, std::move(mapping));
}

napi_value Map(napi_env env, napi_callback_info info) {
  napi_value wait = nullptr;
  std::unique_ptr<Load> load = MakeLoad(env, info, false);
  if (!load) return nullptr;
  load->error = load->reading.Open(load->path);
  if (load->error == 0) {
    load->reading.Start();
  } else {
    load->reading.Cancel();
  }
  auto drop = [](napi_env, void* data, void*) { delete static_cast<Load*>(data); };
  if (napi_create_function(env, nullptr, 0, Wait, load.get(), &wait) == napi_ok &&
      napi_add_finalizer(env, wait, load.get(), drop, nullptr, nullptr) == napi_ok) {
    load.release();
    return wait;
  }
  return nullptr;
}

// On another thread: no JavaScript here.
void ExecuteMap(napi_env, void* data) {
  auto* load = static_cast<Load*>(data);
  load->error = load->reading.Open(load->path);
  if (load->error != 0) return;
  load->reading.Start();
  load->reading.Finish();
}

void CompleteMap(napi_env env, napi_status status, void* data) {
  std::unique_ptr<Load> load(static_cast<Load*>(data));
  if (status == napi_ok && load->error == 0) {
    napi_resolve_deferred(env, load->deferred, MakeMapping(env, load->reading.Take()));
  } else {
    napi_reject_deferred(env, load->deferred, OpenError(env, load->path, status == napi_ok ? load->error : ECANCELED));
  }
  napi_delete_async_work(env, load->work);
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

// A memory that is being filled: it stays until it is.
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

napi_value WaitForFill(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  napi_value crc = nullptr;
  if (napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data) != napi_ok) return nullptr;
  auto* fill = static_cast<Fill*>(data);
  int error = fill->Finish();
  if (error != 0) {
    napi_throw(env, OpenError(env, fill->path, error));
  } else if (fill->filler.filled()) {
    napi_create_uint32(env, fill->filler.crc(), &crc);
  }
  return crc;
}

napi_value StartFill(napi_env env, napi_callback_info info) {
  napi_value arguments[3], wait = nullptr;
  void* memory = nullptr;
  size_t size = 0;
  if (!GetArguments(env, info, arguments) || napi_get_arraybuffer_info(env, arguments[2], &memory, &size) != napi_ok) {
    return nullptr;
  }
  auto fill = std::make_unique<Fill>(env, GetString(env, arguments[0]), GetSegment(env, arguments[1]),
                                     static_cast<uint8_t*>(memory), size);
  if (napi_create_reference(env, arguments[2], 1, &fill->memory) != napi_ok) return nullptr;
  fill->filler.Start();
  auto drop = [](napi_env, void* data, void*) { delete static_cast<Fill*>(data); };
  if (napi_create_function(env, nullptr, 0, WaitForFill, fill.get(), &wait) == napi_ok &&
      napi_add_finalizer(env, wait, fill.get(), drop, nullptr, nullptr) == napi_ok) {
    fill.release();
    return wait;
  }
  return nullptr;
}

// The mapping of another thread.
napi_value Open(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  uint32_t id = 0;
  if (!GetArguments(env, info, arguments) || napi_get_value_uint32(env, arguments[0], &id) != napi_ok) return nullptr;
  Reference mapping = Reference::Find(id);
  return mapping.get() == nullptr ? nullptr : MakeMapping(env, std::move(mapping));
}

Reference* GetReference(napi_env env, napi_value object) {
  napi_value handle;
  void* data = nullptr;
  if (napi_get_named_property(env, object, "handle", &handle) != napi_ok) return nullptr;
  napi_get_value_external(env, handle, &data);
  return static_cast<Reference*>(data);
}

napi_value Release(napi_env env, napi_callback_info info) {
  napi_value arguments[1], segments;
  if (!GetArguments(env, info, arguments)) return nullptr;
  Reference* reference = GetReference(env, arguments[0]);
  if (!reference || napi_get_named_property(env, arguments[0], "segments", &segments) != napi_ok) return nullptr;
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
  if (detached) {
    reference->Drop();
  } else if (reference->get() != nullptr) {
    // Memory that JavaScript may still see stays until the garbage collector finds the handle.
    (*reference)->AbortCompilation();
  }
  return nullptr;
}

napi_value Serialize(napi_env env, napi_callback_info info) {
  napi_value arguments[1], buffer = nullptr;
  if (!GetArguments(env, info, arguments)) return nullptr;
#ifdef HAS_EMBEDDER_API
  v8::Local<v8::Value> module = ToV8(arguments[0]);
  if (!module->IsWasmModuleObject()) return nullptr;
  v8::OwnedBuffer code = module.As<v8::WasmModuleObject>()->GetCompiledModule().Serialize();
  void* copy = nullptr;
  if (code.size == 0 || napi_create_arraybuffer(env, code.size, &copy, &buffer) != napi_ok) return nullptr;
  memcpy(copy, code.buffer.get(), code.size);
#endif
  return buffer;
}

// What `check` says, if there is one: whether V8's flags are those of the native code.
bool Check(napi_env env, napi_value check) {
  napi_value receiver, checked;
  napi_valuetype type;
  bool same = false;
  if (napi_typeof(env, check, &type) == napi_ok && type == napi_undefined) return true;
  return napi_get_undefined(env, &receiver) == napi_ok &&
         napi_call_function(env, receiver, check, 0, nullptr, &checked) == napi_ok &&
         napi_get_value_bool(env, checked, &same) == napi_ok && same;
}

napi_value MakeResult(napi_env env, napi_value module, bool accepted) {
  napi_value result, value;
  napi_create_object(env, &result);
  napi_get_boolean(env, accepted, &value);
  napi_set_named_property(env, result, "accepted", value);
  napi_set_named_property(env, result, "module", module);
  return result;
}

#ifdef HAS_EMBEDDER_API

napi_value Deserialize(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  if (!GetArguments(env, info, arguments, 3) || !Check(env, arguments[3])) return nullptr;
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
  if (!compilation) {
    compilation = std::make_unique<v8::WasmModuleCompilation>();
    compilation->SetHasCompiledModuleBytes();
    compilation->OnBytesReceived(static_cast<const uint8_t*>(wire), wire_size);
  }
  ForgettingReader reader(mapping ? &mapping->view : nullptr);
  // V8 may call the second callback later than `Finish` returns (never seen): then the result is not waited for,
  // and the outcome is left to it. No shared_ptr: libstdc++ 12's asks for a newer glibc than Node does.
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

#else

// One at a time in the process: the flag that allows the natives' syntax belongs to all threads, and V8 refuses native
// code while it is on. Here and not in JavaScript, where a worker that is terminated skips what switches it off again.
napi_value Deserialize(napi_env env, napi_callback_info info) {
  napi_value arguments[5], receiver, function, module = nullptr;
  void* wire = nullptr;
  size_t wire_size = 0;
  if (!GetArguments(env, info, arguments) ||
      napi_get_arraybuffer_info(env, arguments[2], &wire, &wire_size) != napi_ok) {
    return nullptr;
  }
  napi_value parameters[] = {arguments[1], nullptr};
  if (napi_create_typedarray(env, napi_uint8_array, wire_size, arguments[2], 0, &parameters[1]) != napi_ok) {
    return nullptr;
  }
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  Reference* reference = GetReference(env, arguments[0]);
  ForgettingReader reader(reference && reference->get() ? &(*reference)->view : nullptr);
  napi_get_undefined(env, &receiver);
  for (int attempt = 0; attempt < 5; attempt++) {
    if (Check(env, arguments[3])) {
      v8::V8::SetFlagsFromString("--allow-natives-syntax");
      napi_status compiled = napi_call_function(env, receiver, arguments[4], 0, nullptr, &function);
      v8::V8::SetFlagsFromString("--no-allow-natives-syntax");
      if (compiled != napi_ok) return nullptr;
      if (napi_call_function(env, receiver, function, 2, parameters, &module) != napi_ok) return nullptr;
      napi_valuetype type;
      if (napi_typeof(env, module, &type) == napi_ok && type == napi_object) return MakeResult(env, module, true);
    }
    // V8 keeps the hash of all flags, and a thread that starts meanwhile may have stored one of flags that have changed
    // since. Changing a flag that only V8's own tests look at makes it compute the hash anew.
    v8::V8::SetFlagsFromString("--no-testing-bool-flag");
    v8::V8::SetFlagsFromString("--testing-bool-flag");
  }
  return nullptr;
}

#endif

// Pages of address space (proc_pid_statm(5)), or -1.
[[maybe_unused]] long AddressSpacePages() {
  long pages = -1;
  if (FILE* file = fopen("/proc/self/statm", "re")) {
    if (fscanf(file, "%ld", &pages) != 1) pages = -1;
    fclose(file);
  }
  return pages;
}

napi_value ReservedBy(napi_env env, napi_callback_info info) {
  napi_value arguments[1], receiver, memory, result;
  double bytes = -1;
  if (!GetArguments(env, info, arguments)) return nullptr;
#ifdef __linux__
  long before = AddressSpacePages();
  napi_get_undefined(env, &receiver);
  if (napi_call_function(env, receiver, arguments[0], 0, nullptr, &memory) != napi_ok) return nullptr;
  long after = AddressSpacePages();
  // Other threads may have given some back meanwhile.
  if (before >= 0 && after >= 0) {
    bytes = static_cast<double>(std::max(0l, after - before)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  }
#else
  (void)receiver;
  (void)memory;
#endif
  napi_create_double(env, bytes, &result);
  return result;
}

napi_value HandlesSegv(napi_env env, napi_callback_info) {
  napi_value result;
  bool handled = true;
#ifndef _WIN32
  struct sigaction action;
  handled = sigaction(SIGSEGV, nullptr, &action) == 0 && action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
  // V8 may go without guard regions then, and there is no room to spare for finding out.
  if (IsAddressSpaceLimited()) handled = false;
#endif
  napi_get_boolean(env, handled, &result);
  return result;
}

// What one thread has found, for the others: finding out takes deserializing a small module.
napi_value CpuFeatures(napi_env env, napi_callback_info info) {
  static std::atomic<uint32_t> features{0};
  napi_value arguments[1], result;
  uint32_t found = 0;
  if (!GetArguments(env, info, arguments, 0)) return nullptr;
  if (napi_get_value_uint32(env, arguments[0], &found) == napi_ok) features = found;
  napi_create_uint32(env, features, &result);
  return result;
}

// V8's version and flags in one number; up to V8 12 its CPU features, too.
napi_value VersionTag(napi_env env, napi_callback_info) {
  napi_value result;
  napi_create_uint32(env, v8::ScriptCompiler::CachedDataVersionTag(), &result);
  return result;
}

napi_value StartHelper(napi_env env, napi_callback_info info) {
  napi_value arguments[1], receiver, worker, source, start, helper = nullptr;
  size_t count = 1;
  double size = 0;
  // Most loads need none, and compiling a script takes 0.1 ms.
  if (napi_get_cb_info(env, info, &count, arguments, &receiver, nullptr) != napi_ok ||
      napi_get_value_double(env, arguments[0], &size) != napi_ok || size < kHelperSize ||
      napi_create_string_utf8(env, kWorker, NAPI_AUTO_LENGTH, &worker) != napi_ok ||
      napi_create_string_utf8(env, kStartHelper, NAPI_AUTO_LENGTH, &source) != napi_ok ||
      napi_run_script(env, source, &start) != napi_ok ||
      napi_call_function(env, receiver, start, 1, &worker, &helper) != napi_ok) {
    return nullptr;
  }
  return helper;
}

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
                   {"startWorker", StartHelper}};
  for (const auto& [name, callback] : functions) {
    napi_value function;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
    napi_set_named_property(env, exports, name, function);
  }
  return exports;
}

}  // namespace

NAPI_MODULE(NODE_GYP_MODULE_NAME, Init)
