// Work that threads can do before V8 deserializes: making pages resident, CRC-32, V8's first copy of the wire bytes,
// and memory for its other copies.

#ifndef WASM_PRECOMPILE_PREFETCH_H_
#define WASM_PRECOMPILE_PREFETCH_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

#include "mapping.h"
#include "prepared_heap.h"
#include "thread.h"

// Two threads share the work. The prefetch thread begins with the wire bytes; the caller of `Finish` begins with all
// other segments.
class Prefetch {
 public:
  // `wire` is the index of the segment with the wire bytes, or -1. `in_worker`: a worker deserializes if there is much
  // native code. Otherwise, the thread that constructs the object and calls `Take` must be the one that deserializes.
  Prefetch(Reference mapping, int32_t wire, bool in_worker);
  Prefetch(const Prefetch&) = delete;
  Prefetch& operator=(const Prefetch&) = delete;

  // Returns 0, or the error number of the call that failed.
  int Open(const std::string& path);

  // Begins on a prefetch thread. If none can be started, `Finish` does all the work.
  void Start();

  // Does the work that is left, and joins the prefetch thread. May run on any thread.
  void Finish();

  // Releases everything. For an object that was not started.
  void Cancel();

  // Returns the mapping after `Finish`, and an empty reference after that.
  Reference Take();

 private:
  void Checksum(size_t index);
  void RunOnThread();
  void ReadOthers();
  void ReadWire();
  void ChecksumAndFeedWire();

  Reference mapping_;
  int32_t wire_ = -1;
  bool threads_ = false;
  std::atomic<bool> wire_begun_{false};
  std::atomic<bool> others_begun_{false};
  // Touching the heap ends when the other thread has finished its segments: V8 touches the remaining pages as fast.
  std::atomic<bool> thread_done_{false};
  std::atomic<bool> caller_done_{false};
  PreparedHeap heap_;
  // The last member, since it must end before all others are destroyed.
  Thread thread_;
};

#endif  // WASM_PRECOMPILE_PREFETCH_H_
