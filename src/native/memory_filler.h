// What is in a split module's memory before anything runs, copied there by a thread of its own: half of the time that it takes goes
// to fresh pages, and V8 deserializes meanwhile. What a segment looks like: src/runtime/node/split/memory.ts.

#ifndef WASM_PRECOMPILE_MEMORY_FILLER_H_
#define WASM_PRECOMPILE_MEMORY_FILLER_H_

#include <uv.h>

#include <cstring>
#include <string>
#include <utility>

#include "address_space.h"
#include "crc32.h"
#include "file_view.h"
#include "thread.h"

class MemoryFiller {
 public:
  // The memory has to stay until `Join`.
  MemoryFiller(std::string path, Segment segment, uint8_t* memory, uint64_t memory_size)
      : path_(std::move(path)), view_({segment}), memory_(memory), memory_size_(memory_size) {}
  MemoryFiller(const MemoryFiller&) = delete;
  MemoryFiller& operator=(const MemoryFiller&) = delete;

  // Begins, where there can be a thread: else `Join` does it all.
  void Start() {
    if (IsAddressSpaceLimited()) return;
    thread_.Start([](void* self) { static_cast<MemoryFiller*>(self)->Fill(); }, this);
  }

  // Gives 0, or the error number of what failed when the file was opened.
  int Join() {
    thread_.Join();
    if (!done_) Fill();
    return error_;
  }

  // After `Join`: whether all of it is there.
  bool filled() const { return filled_; }

  // Of the segment, after `Join`.
  uint32_t crc() const { return crc_; }

 private:
  static constexpr uint64_t kHeadWords = 3;
  static constexpr uint64_t kRunWords = 2;
  static constexpr uint64_t kWord = 4;

  void Fill() {
    done_ = true;
    error_ = view_.Open(path_);
    const Segment& segment = view_.segments()[0];
    if (error_ == 0 && segment.data != nullptr) {
      crc_ = Crc32(0, segment.data, segment.size);
      filled_ = CopyRuns(segment);
    }
    view_.Release();
  }

  // Anything may be in the segment: its checksum is compared later.
  bool CopyRuns(const Segment& segment) {
    if (segment.size < kHeadWords * kWord) return false;
    uint64_t runs = WordAt(segment, 2);
    uint64_t at = (kHeadWords + runs * kRunWords) * kWord;
    if (at > segment.size) return false;
    for (uint64_t run = 0; run < runs; run++) {
      uint64_t address = WordAt(segment, kHeadWords + run * kRunWords);
      uint64_t size = WordAt(segment, kHeadWords + run * kRunWords + 1);
      if (at + size > segment.size || address + size > memory_size_) return false;
      memcpy(memory_ + address, segment.data + at, size);
      at += size;
    }
    return true;
  }

  // Of a processor that is little-endian, as all are that V8 has native code for.
  static uint32_t WordAt(const Segment& segment, uint64_t index) {
    uint32_t word;
    memcpy(&word, segment.data + index * kWord, kWord);
    return word;
  }

  std::string path_;
  FileView view_;
  uint8_t* memory_;
  uint64_t memory_size_;
  uint32_t crc_ = 0;
  bool done_ = false;
  int error_ = 0;
  bool filled_ = false;
  // Ends before all the others go.
  Thread thread_;
};

#endif  // WASM_PRECOMPILE_MEMORY_FILLER_H_
