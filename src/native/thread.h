#ifndef WASM_PRECOMPILE_THREAD_H_
#define WASM_PRECOMPILE_THREAD_H_

#include <uv.h>

#include <utility>

// A thread that may fail to start. std::thread throws an exception then, and the addon is compiled without exceptions.
class Thread {
 public:
  ~Thread() { Join(); }
  void Start(uv_thread_cb run, void* data) { started_ = uv_thread_create(&thread_, run, data) == 0; }
  bool started() const { return started_; }
  void Join() {
    if (std::exchange(started_, false)) uv_thread_join(&thread_);
  }

 private:
  uv_thread_t thread_;
  bool started_ = false;
};

#endif  // WASM_PRECOMPILE_THREAD_H_
