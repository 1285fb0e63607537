#include "clock.h"

#include <uv.h>
#include <v8.h>

#include <atomic>

#include "address_space.h"

void MeasureClock() {
#if defined(__linux__) && defined(__x86_64__) && V8_MAJOR_VERSION >= 13
  // double absl::base_internal::NominalCPUFrequency() (absl/base/internal/sysinfo.h) measures on its first call only.
  static constexpr char kNominalCPUFrequency[] = "_ZN4absl13base_internal19NominalCPUFrequencyEv";
  static std::atomic<bool> begun{false};
  if (IsAddressSpaceLimited() || begun.exchange(true)) return;
  uv_lib_t program;
  void* measure = nullptr;
  if (uv_dlopen(nullptr, &program) == 0 && uv_dlsym(&program, kNominalCPUFrequency, &measure) == 0) {
    // The thread is never joined, so its stack is never freed: a small one.
    uv_thread_t thread;
    uv_thread_options_t options = {UV_THREAD_HAS_STACK_SIZE, 64 << 10};
    uv_thread_create_ex(&thread, &options, [](void* function) { reinterpret_cast<double (*)()>(function)(); }, measure);
  }
  uv_dlclose(&program);
#endif
}
