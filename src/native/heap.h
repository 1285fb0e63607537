// Memory for V8's copies of the wire bytes and of what native code has besides instructions. V8 asks the C library for all of it on
// the thread that deserializes, gets fresh pages from the kernel, and takes six times as long to touch them as to copy.

#ifndef WASM_PRECOMPILE_HEAP_H_
#define WASM_PRECOMPILE_HEAP_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <utility>

#ifdef __GLIBC__
#include <malloc.h>
#endif

// Leaves a free block in the heap of the thread that reserves it, with its pages in memory, where the next allocations find it.
//
// With glibc only. It takes blocks of 128 KiB and more from the kernel and gives them back, until a larger one is freed:
// then it keeps blocks of up to that size (mallopt(3), M_MMAP_THRESHOLD). V8 would free one as large moments later.
//
// Not in huge pages (madvise(2), MADV_HUGEPAGE). They take a fifth less processor time, but now and then twice as much:
// where a virtual machine's host takes free memory back, it does so in blocks of that size, and has to find it again.
class PreparedHeap {
 public:
  PreparedHeap() = default;
  PreparedHeap(const PreparedHeap&) = delete;
  PreparedHeap& operator=(const PreparedHeap&) = delete;
  ~PreparedHeap() { Release(); }

  // Bytes of the wire bytes and of the native code. For the wire bytes alone where that is too much for glibc to keep.
  // Gives whether there is a block; then `TrimHeap` has to follow.
  bool Reserve([[maybe_unused]] uint64_t wire, [[maybe_unused]] uint64_t native) {
#ifdef __GLIBC__
    constexpr uint64_t kNeverKept = 32 << 20;
    // Something else may be allocated before.
    constexpr uint64_t kSpare = 16 * kPage;
    // A quarter of native code is no instructions, which V8 keeps elsewhere, but what it has to know of them.
    size_ = wire + native / 4 + kSpare;
    if (size_ >= kNeverKept) size_ = wire + kSpare;
    if (size_ >= kNeverKept) return false;
    // Volatile: compilers leave out what nobody uses.
    void* volatile large = malloc(size_);
    free(large);
    block_ = malloc(size_);
#endif
    return block_ != nullptr;
  }

  // From the start on, where the first allocation will be, as far as it comes until somebody sets `enough`. On several threads.
  void Touch(const std::atomic<bool>& enough) {
    constexpr uint64_t kStep = 16 * kPage;
    if (block_ == nullptr) return;
    for (uint64_t at; !enough && (at = touched_.fetch_add(kStep)) < size_;) {
      for (uint64_t end = std::min(at + kStep, size_); at < end; at += kPage) static_cast<volatile char*>(block_)[at] = 0;
    }
  }

  // On the thread that reserved it.
  void Release() { free(std::exchange(block_, nullptr)); }

 private:
  static constexpr uint64_t kPage = 4096;
  uint64_t size_ = 0;
  std::atomic<uint64_t> touched_{0};
  void* block_ = nullptr;
};

// Gives the kernel back what V8 has freed meanwhile: as long as it lies between blocks that are in use, glibc does not by itself.
inline void TrimHeap() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

#endif  // WASM_PRECOMPILE_HEAP_H_
