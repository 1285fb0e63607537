#include "prepared_heap.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace {

constexpr uint64_t kPage = 4096;

}  // namespace

bool PreparedHeap::Reserve([[maybe_unused]] uint64_t wire, [[maybe_unused]] uint64_t native) {
#ifdef __GLIBC__
  constexpr uint64_t kNeverKept = 32 << 20;
  // Other code may allocate before V8 does.
  constexpr uint64_t kSpare = 16 * kPage;
  // A quarter of native code is metadata. V8 keeps the instructions elsewhere, in its code space.
  size_ = wire + native / 4 + kSpare;
  if (size_ >= kNeverKept) size_ = wire + kSpare;
  if (size_ >= kNeverKept) return false;
  // Volatile, since compilers remove an allocation that is never used.
  void* volatile large = malloc(size_);
  free(large);
  block_ = malloc(size_);
#endif
  return block_ != nullptr;
}

void PreparedHeap::Touch(const std::atomic<bool>& enough) {
  constexpr uint64_t kStep = 16 * kPage;
  if (block_ == nullptr) return;
  for (uint64_t at; !enough && (at = touched_.fetch_add(kStep)) < size_;) {
    for (uint64_t end = std::min(at + kStep, size_); at < end; at += kPage) static_cast<volatile char*>(block_)[at] = 0;
  }
}

void PreparedHeap::Release() { free(std::exchange(block_, nullptr)); }

void TrimHeap() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}
