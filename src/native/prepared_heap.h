// Memory for V8's copies of the wire bytes and of the metadata in native code.
//
// V8 allocates all of it from the C library on the thread that deserializes. The kernel gives fresh pages, and
// touching them takes six times as long as copying.

#ifndef WASM_PRECOMPILE_PREPARED_HEAP_H_
#define WASM_PRECOMPILE_PREPARED_HEAP_H_

#include <atomic>
#include <cstdint>

// Leaves a free block with resident pages in the heap of the thread that reserves it. The next allocations of that
// thread use the block.
//
// With glibc only. It takes blocks of 128 KiB and more from the kernel and gives them back, until a larger one is
// freed: then it keeps blocks of up to that size (mallopt(3), M_MMAP_THRESHOLD). V8 would free one of that size a
// moment later anyway.
//
// Without huge pages (madvise(2), MADV_HUGEPAGE). They take a fifth less processor time, but now and then twice as
// much: a virtual machine's host may take free memory back in blocks of that size, and then has to find it again.
class PreparedHeap {
 public:
  PreparedHeap() = default;
  PreparedHeap(const PreparedHeap&) = delete;
  PreparedHeap& operator=(const PreparedHeap&) = delete;
  ~PreparedHeap() { Release(); }

  // Reserves a block for so many bytes of wire bytes and native code, or for the wire bytes alone if glibc would not
  // keep a block for both. Returns whether there is a block; `TrimHeap` must follow then.
  bool Reserve(uint64_t wire, uint64_t native);

  // Touches pages from the beginning of the block, which the first allocations use, until all are resident or `enough`
  // is set. Several threads may call it at once.
  void Touch(const std::atomic<bool>& enough);

  // Must run on the thread that reserved the block.
  void Release();

 private:
  uint64_t size_ = 0;
  std::atomic<uint64_t> touched_{0};
  void* block_ = nullptr;
};

// Returns memory that V8 has freed to the kernel. glibc does not do so by itself while the memory lies between blocks
// in use.
void TrimHeap();

#endif  // WASM_PRECOMPILE_PREPARED_HEAP_H_
