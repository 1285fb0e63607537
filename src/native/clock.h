// V8's locks (absl's since V8 13) measure the processor's frequency before a thread waits for one of them the first time in a process,
// and sleep 3 ms for it. Deserializing waits for locks.

#ifndef WASM_PRECOMPILE_CLOCK_H_
#define WASM_PRECOMPILE_CLOCK_H_

#include <uv.h>
#include <v8.h>

#include <atomic>

#include "address_space.h"

// Has a thread measure early, while others have something else to do. Where the function is not to be found, nothing happens. Once in
// a process.
inline void MeasureClock() {
#if defined(__linux__) && defined(__x86_64__) && V8_MAJOR_VERSION >= 13
  // double absl::base_internal::NominalCPUFrequency() (absl/base/internal/sysinfo.h): measures once, whoever asks.
  static constexpr char kNominalCPUFrequency[] = "_ZN4absl13base_internal19NominalCPUFrequencyEv";
  static std::atomic<bool> begun{false};
  if (IsAddressSpaceLimited() || begun.exchange(true)) return;
  uv_lib_t program;
  void* measure = nullptr;
  if (uv_dlopen(nullptr, &program) == 0 && uv_dlsym(&program, kNominalCPUFrequency, &measure) == 0) {
    // Nobody waits for it, so its stack stays: a small one.
    uv_thread_t thread;
    uv_thread_options_t options = {UV_THREAD_HAS_STACK_SIZE, 64 << 10};
    uv_thread_create_ex(&thread, &options, [](void* function) { reinterpret_cast<double (*)()>(function)(); }, measure);
  }
  uv_dlclose(&program);
#endif
}

#endif  // WASM_PRECOMPILE_CLOCK_H_
