// Memory for the time in which V8 copies a large artifact: its pages count, too, as long as they are mapped, though anybody may
// have them again from the file at any time.

#ifndef WASM_PRECOMPILE_FORGET_H_
#define WASM_PRECOMPILE_FORGET_H_

#include <uv.h>

#include "file_view.h"

inline bool IsLarge(const Segment& segment) { return segment.data != nullptr && segment.size >= 16 << 20; }

// Takes a segment out of memory, where that spares enough to be worth reading it from the file once more.
inline void ForgetLarge(const FileView& view, const Segment& segment) {
  if (IsLarge(segment)) view.Forget(segment);
}

// While it exists, pages of large segments go out of memory again soon after they were read. Where no thread can be started,
// nothing happens.
class ForgettingReader {
 public:
  // `view` may be null.
  explicit ForgettingReader(const FileView* view) : view_(view) {
    if (view == nullptr) return;
    for (const Segment& segment : view->segments()) worthwhile_ = worthwhile_ || IsLarge(segment);
    if (!worthwhile_) return;
    uv_mutex_init(&mutex_);
    uv_cond_init(&ended_);
    started_ = uv_thread_create(&thread_, [](void* self) { static_cast<ForgettingReader*>(self)->Run(); }, this) == 0;
  }
  ForgettingReader(const ForgettingReader&) = delete;
  ForgettingReader& operator=(const ForgettingReader&) = delete;

  ~ForgettingReader() {
    if (!worthwhile_) return;
    if (started_) {
      uv_mutex_lock(&mutex_);
      end_ = true;
      uv_cond_signal(&ended_);
      uv_mutex_unlock(&mutex_);
      uv_thread_join(&thread_);
    }
    uv_cond_destroy(&ended_);
    uv_mutex_destroy(&mutex_);
  }

 private:
  void Run() {
    // Nanoseconds, in which V8 copies some MiB.
    constexpr uint64_t kInterval = 2'000'000;
    uv_mutex_lock(&mutex_);
    while (!end_) {
      uv_cond_timedwait(&ended_, &mutex_, kInterval);
      Forget();
    }
    uv_mutex_unlock(&mutex_);
  }

  void Forget() {
    for (const Segment& segment : view_->segments()) ForgetLarge(*view_, segment);
  }

  const FileView* view_;
  bool worthwhile_ = false;
  bool started_ = false;
  bool end_ = false;
  uv_thread_t thread_;
  uv_mutex_t mutex_;
  uv_cond_t ended_;
};

#endif  // WASM_PRECOMPILE_FORGET_H_
