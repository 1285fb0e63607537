// Copies the initial contents of a split module's memory on a thread of its own, while V8 deserializes. Half of the
// time goes to fresh pages. src/runtime/node/split/memory.ts describes the layout of a segment.

#ifndef WASM_PRECOMPILE_MEMORY_FILLER_H_
#define WASM_PRECOMPILE_MEMORY_FILLER_H_

#include <cstdint>
#include <string>
#include <utility>

#include "file_view.h"
#include "thread.h"

class MemoryFiller {
 public:
  // The memory must exist until `Join` returns.
  MemoryFiller(std::string path, Segment segment, uint8_t* memory, uint64_t memory_size)
      : path_(std::move(path)), view_({segment}), memory_(memory), memory_size_(memory_size) {}
  MemoryFiller(const MemoryFiller&) = delete;
  MemoryFiller& operator=(const MemoryFiller&) = delete;

  // Begins on another thread. If none can be started, `Join` does all the work.
  void Start();

  // Returns 0, or the error number of the call that failed to open the file.
  int Join();

  // After `Join`: whether all contents were copied.
  bool filled() const { return filled_; }

  // After `Join`: the checksum of the segment.
  uint32_t crc() const { return crc_; }

 private:
  void Fill();
  bool CopyRuns(const Segment& segment);

  std::string path_;
  FileView view_;
  uint8_t* memory_;
  uint64_t memory_size_;
  uint32_t crc_ = 0;
  bool done_ = false;
  int error_ = 0;
  bool filled_ = false;
  // The last member, since it must end before all others are destroyed.
  Thread thread_;
};

#endif  // WASM_PRECOMPILE_MEMORY_FILLER_H_
