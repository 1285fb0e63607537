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

// Two threads: one has the wire bytes, the other everything else.
class ReadAhead {
 public:
  // With fewer bytes, starting threads takes as long as what they would save.
  static constexpr uint64_t kWorthThreads = 256 << 10;

  // `wire`: the index of the segment with the wire bytes, or -1. `helped`: a thread of its own deserializes where there is much
  // native code. On the thread that will deserialize elsewhere, as `Join`.
  ReadAhead(Reference mapping, int32_t wire, bool helped) : mapping_(std::move(mapping)) {
    const auto& segments = mapping_->view.segments();
    uint64_t size = 0;
    for (const Segment& segment : segments) size += segment.size;
    // Every thread takes a stack and a heap of 64 MiB.
    threads_ = size >= kWorthThreads && !IsAddressSpaceLimited();
    if (wire < 0 || static_cast<size_t>(wire) >= segments.size()) return;
    wire_ = wire;
    uint64_t others = size - segments[wire].size;
    if (!threads_ || (helped && others >= kHelperSize)) return;
#ifndef HAS_EMBEDDER_API
    // These versions copy only the wire bytes.
    others = 0;
#endif
    mapping_->heap_prepared = heap_.Reserve(segments[wire].size, others);
  }
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  // Gives 0, or the error number of what failed.
  int Open(const std::string& path) {
    int error = mapping_->view.Open(path);
    if (error == 0) mapping_->crcs.resize(mapping_->view.segments().size());
    return error;
  }

  // Begins; `Join` waits for the end.
  void Start() {
    started_ = true;
    if (threads_) main_.Start([](void* self) { static_cast<ReadAhead*>(self)->Run(); }, this);
  }

  // The same on the thread that calls, and a second one.
  void Run() {
    started_ = false;
    Thread second;
    if (threads_) second.Start([](void* self) { static_cast<ReadAhead*>(self)->ReadWire(); }, this);
    ReadOthers();
    if (second.started()) {
      heap_.Touch(wire_read_);
    } else {
      ReadWire();
    }
  }

  // Lets go of everything, where nothing was begun.
  void Cancel() {
    heap_.Release();
    mapping_.Drop();
  }

  // The mapping, with everything done; empty after that.
  Reference Join() {
    main_.Join();
    // Where there are few bytes, or no thread could be started.
    if (started_) Run();
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

  void ReadOthers() {
    for (size_t i = 0; i < mapping_->crcs.size(); i++) {
      if (static_cast<int32_t>(i) != wire_) Checksum(i);
    }
  }

  void ReadWire() {
    if (wire_ >= 0) CheckAndFeed();
    wire_read_ = true;
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
  // Whether `Start` was called, and `Run` not yet.
  bool started_ = false;
  // Nobody waits for memory that is not ready by then: V8 gets it as fast.
  std::atomic<bool> wire_read_{false};
  PreparedHeap heap_;
  // Ends before all the others go.
  Thread main_;
};

#endif  // WASM_PRECOMPILE_READ_AHEAD_H_
