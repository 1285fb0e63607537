// What can be done before V8 deserializes, and by other threads: bringing pages in, CRC-32, V8's first copy of the wire bytes, and
// memory for its other copies.

#ifndef WASM_PRECOMPILE_READ_AHEAD_H_
#define WASM_PRECOMPILE_READ_AHEAD_H_

#include <algorithm>
#include <atomic>
#include <utility>

#include "address_space.h"
#include "crc32.h"
#include "forget.h"
#include "heap.h"
#include "helper.h"
#include "mapping.h"
#include "thread.h"

// A helper begins with the wire bytes; whoever waits for it, with everything else.
class ReadAhead {
 public:
  // With fewer bytes, starting threads takes as long as what they would save.
  static constexpr uint64_t kWorthThreads = 256 << 10;

  // `wire`: the index of the segment with the wire bytes, or -1. `helped`: a thread of its own deserializes where there is much
  // native code. On the thread that will deserialize elsewhere, as `Take`.
  ReadAhead(Reference mapping, int32_t wire, bool helped) : mapping_(std::move(mapping)) {
    const auto& segments = mapping_->view.segments();
    uint64_t size = 0;
    for (const Segment& segment : segments) size += segment.size;
    // Every thread takes a stack and a heap of 64 MiB.
    threads_ = size >= kWorthThreads && !IsAddressSpaceLimited();
    if (wire < 0 || static_cast<size_t>(wire) >= segments.size()) return;
    wire_ = wire;
    uint64_t native = size - segments[wire].size;
    if (!threads_ || (helped && native >= kHelperSize)) return;
    mapping_->heap_prepared = heap_.Reserve(segments[wire].size, native);
  }
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  // Gives 0, or the error number of what failed.
  int Open(const std::string& path) {
    int error = mapping_->view.Open(path);
    if (error == 0) mapping_->crcs.resize(mapping_->view.segments().size());
    return error;
  }

  // Begins, where there can be a thread: else `Finish` does it all.
  void Start() {
    if (threads_) helper_.Start([](void* self) { static_cast<ReadAhead*>(self)->Help(); }, this);
  }

  // Does what is still to be done, and waits for the helper. On any thread.
  void Finish() {
    ReadOthers();
    ReadWire();
    waiting_ = true;
    if (helper_.started()) heap_.Touch(helped_);
    helper_.Join();
  }

  // Lets go of everything, where nothing was begun.
  void Cancel() {
    heap_.Release();
    mapping_.Drop();
  }

  // The mapping, after `Finish`; empty after that.
  Reference Take() {
    heap_.Release();
    return std::move(mapping_);
  }

 private:
  // Reads every page. Leaves them in memory, or where they are many in the kernel's.
  void Checksum(size_t index) {
    const FileView& view = mapping_->view;
    const Segment& segment = view.segments()[index];
    if (!segment.data) return;
    constexpr uint64_t kStep = 4 << 20;
    uint32_t crc = 0;
    for (uint64_t at = 0; at < segment.size; at += kStep) {
      crc = Crc32(crc, segment.data + at, std::min(kStep, segment.size - at));
      ForgetLarge(view, segment);
    }
    mapping_->crcs[index] = crc;
  }

  // What this thread does not begin, the other one does: a third would get a processor too late where there are two.
  void Help() {
    ReadWire();
    ReadOthers();
    helped_ = true;
    heap_.Touch(waiting_);
  }

  void ReadOthers() {
    if (others_begun_.exchange(true)) return;
    for (size_t i = 0; i < mapping_->crcs.size(); i++) {
      if (static_cast<int32_t>(i) != wire_) Checksum(i);
    }
  }

  void ReadWire() {
    if (wire_begun_.exchange(true)) return;
    if (wire_ >= 0) CheckAndFeed();
  }

  void CheckAndFeed() {
    Checksum(wire_);
#ifdef HAS_EMBEDDER_API
    // V8's other copy is one of this: the segment itself is read again only where V8 refuses the native code.
    const Segment& wire = mapping_->view.segments()[wire_];
    if (!wire.data) return;
    mapping_->compilation = std::make_unique<v8::WasmModuleCompilation>();
    mapping_->compilation->SetHasCompiledModuleBytes();
    mapping_->compilation->OnBytesReceived(wire.data, wire.size);
    mapping_->view.Forget(wire);
#endif
  }

  Reference mapping_;
  int32_t wire_ = -1;
  bool threads_ = false;
  std::atomic<bool> wire_begun_{false};
  std::atomic<bool> others_begun_{false};
  // Nobody waits for memory that is not ready by then: V8 gets it as fast.
  std::atomic<bool> helped_{false};
  std::atomic<bool> waiting_{false};
  PreparedHeap heap_;
  // Ends before all the others go.
  Thread helper_;
};

#endif  // WASM_PRECOMPILE_READ_AHEAD_H_
