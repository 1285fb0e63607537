#include "page_dropper.h"

namespace {

bool IsLarge(const Segment& segment) { return segment.data != nullptr && segment.size >= 16 << 20; }

}  // namespace

void DropLargePages(const FileView& view, const Segment& segment) {
  if (IsLarge(segment)) view.DropPages(segment);
}

PageDropper::PageDropper(const FileView* view) : view_(view) {
  if (view == nullptr) return;
  for (const Segment& segment : view->segments()) worthwhile_ = worthwhile_ || IsLarge(segment);
  if (!worthwhile_) return;
  uv_mutex_init(&mutex_);
  uv_cond_init(&ended_);
  started_ = uv_thread_create(&thread_, [](void* self) { static_cast<PageDropper*>(self)->Run(); }, this) == 0;
}

PageDropper::~PageDropper() {
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

void PageDropper::Run() {
  // Nanoseconds, in which V8 copies a few MiB.
  constexpr uint64_t kInterval = 2'000'000;
  uv_mutex_lock(&mutex_);
  while (!end_) {
    uv_cond_timedwait(&ended_, &mutex_, kInterval);
    for (const Segment& segment : view_->segments()) DropLargePages(*view_, segment);
  }
  uv_mutex_unlock(&mutex_);
}
