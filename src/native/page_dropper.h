// Limits resident memory while V8 copies a large artifact. Mapped pages count as resident, although the kernel could
// take them back at any time and read them from the file again.

#ifndef WASM_PRECOMPILE_PAGE_DROPPER_H_
#define WASM_PRECOMPILE_PAGE_DROPPER_H_

#include <uv.h>

#include "file_view.h"

// Drops the pages of a segment if it is so large that the saved memory is worth reading the file once more.
void DropLargePages(const FileView& view, const Segment& segment);

// While it exists, a thread drops pages of large segments soon after V8 has read them. Does nothing if no thread can
// be started.
class PageDropper {
 public:
  // `view` may be null.
  explicit PageDropper(const FileView* view);
  PageDropper(const PageDropper&) = delete;
  PageDropper& operator=(const PageDropper&) = delete;
  ~PageDropper();

 private:
  void Run();

  const FileView* view_;
  bool worthwhile_ = false;
  bool started_ = false;
  bool end_ = false;
  uv_thread_t thread_;
  uv_mutex_t mutex_;
  uv_cond_t ended_;
};

#endif  // WASM_PRECOMPILE_PAGE_DROPPER_H_
