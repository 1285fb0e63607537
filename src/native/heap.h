// Memory for V8's copy of the wire bytes. V8 asks the C library for all of it on the thread that deserializes, gets fresh
// pages from the kernel, and takes six times as long to touch them as to copy.

#ifndef WASM_PRECOMPILE_HEAP_H_
#define WASM_PRECOMPILE_HEAP_H_

#include <cstddef>
#include <cstdlib>

// Leaves a free block of so many bytes in this thread's heap, with its pages in memory, where the next allocation of that
// size finds it. Takes as long as V8 would: for threads that wait for another one.
//
// With glibc only. It takes blocks of 128 KiB and more from the kernel and gives them back, until a larger one is freed:
// then it keeps blocks of up to that size (mallopt(3), M_MMAP_THRESHOLD). V8 would free one as large moments later.
//
// Not in huge pages (madvise(2), MADV_HUGEPAGE). They take a fifth less processor time, but now and then twice as much:
// where a virtual machine's host takes free memory back, it does so in blocks of that size, and has to find it again.
inline void PrepareHeap([[maybe_unused]] size_t size) {
#ifdef __GLIBC__
  constexpr size_t kPage = 4096;
  // What glibc never keeps.
  if (size >= 32 << 20) return;
  // Something else may be allocated before.
  size += 16 * kPage;
  // Volatile: compilers leave out what nobody uses.
  void* volatile block = malloc(size);
  free(block);
  block = malloc(size);
  if (block == nullptr) return;
  for (size_t at = 0; at < size; at += kPage) static_cast<volatile char*>(block)[at] = 0;
  free(block);
#endif
}

#endif  // WASM_PRECOMPILE_HEAP_H_
