#include "file_view.h"

#include <cstdlib>

#ifdef __linux__
#include <sys/mman.h>
#include <unistd.h>
#endif

void FileView::Release() {
  for (Segment& segment : segments_) {
    if (segment.data == nullptr) continue;
    if (mapped_) {
      Unmap(segment);
    } else {
      free(segment.data);
    }
    segment.data = nullptr;
  }
  Close();
}

void FileView::DropPages([[maybe_unused]] const Segment& segment) const {
#ifdef __linux__
  // Memory without a file behind it would become zeros.
  if (!mapped_ || segment.data == nullptr) return;
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  if (segment.size > page) madvise(segment.data + page, segment.size - page, MADV_DONTNEED);
#endif
}

bool FileView::IsInFile(const Segment& segment) const {
  return segment.size != 0 && segment.offset + segment.size <= size_;
}

void FileView::MapAll() {
  for (Segment& segment : segments_) {
    if (IsInFile(segment)) Map(segment);
  }
}

void FileView::ReadAll() {
  for (Segment& segment : segments_) {
    if (!IsInFile(segment)) continue;
    segment.data = static_cast<uint8_t*>(malloc(segment.size));
    if (segment.data != nullptr && !Read(segment)) {
      free(segment.data);
      segment.data = nullptr;
    }
  }
}
