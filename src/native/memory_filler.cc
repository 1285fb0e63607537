#include "memory_filler.h"

#include <cstring>

#include "address_space.h"
#include "crc32.h"

namespace {

constexpr uint64_t kHeadWords = 3;
constexpr uint64_t kRunWords = 2;
constexpr uint64_t kWord = 4;

// Words are little-endian, as are all processors that V8 generates native code for.
uint32_t WordAt(const Segment& segment, uint64_t index) {
  uint32_t word;
  memcpy(&word, segment.data + index * kWord, kWord);
  return word;
}

}  // namespace

void MemoryFiller::Start() {
  if (IsAddressSpaceLimited()) return;
  thread_.Start([](void* self) { static_cast<MemoryFiller*>(self)->Fill(); }, this);
}

int MemoryFiller::Join() {
  thread_.Join();
  if (!done_) Fill();
  return error_;
}

void MemoryFiller::Fill() {
  done_ = true;
  error_ = view_.Open(path_);
  const Segment& segment = view_.segments()[0];
  if (error_ == 0 && segment.data != nullptr) {
    crc_ = Crc32(0, segment.data, segment.size);
    filled_ = CopyRuns(segment);
  }
  view_.Release();
}

// Checks every bound, since the segment may be damaged: the caller compares its checksum later.
bool MemoryFiller::CopyRuns(const Segment& segment) {
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
