#include "prefetch.h"

#include <algorithm>
#include <memory>

#include "address_space.h"
#include "crc32.h"
#include "deserialization_worker.h"
#include "page_dropper.h"

namespace {

// With fewer bytes, starting threads takes as long as they would save.
constexpr uint64_t kMinThreadedSize = 256 << 10;

}  // namespace

Prefetch::Prefetch(Reference mapping, int32_t wire, bool in_worker) : mapping_(std::move(mapping)) {
  const auto& segments = mapping_->view.segments();
  uint64_t size = 0;
  for (const Segment& segment : segments) size += segment.size;
  threads_ = size >= kMinThreadedSize && !IsAddressSpaceLimited();
  if (wire < 0 || static_cast<size_t>(wire) >= segments.size()) return;
  wire_ = wire;
  uint64_t native = size - segments[wire].size;
  if (!threads_ || (in_worker && native >= kMinWorkerSize)) return;
  mapping_->heap_prepared = heap_.Reserve(segments[wire].size, native);
}

int Prefetch::Open(const std::string& path) {
  int error = mapping_->view.Open(path);
  if (error == 0) mapping_->crcs.resize(mapping_->view.segments().size());
  return error;
}

void Prefetch::Start() {
  if (threads_) thread_.Start([](void* self) { static_cast<Prefetch*>(self)->RunOnThread(); }, this);
}

void Prefetch::Finish() {
  ReadOthers();
  ReadWire();
  caller_done_ = true;
  if (thread_.started()) heap_.Touch(thread_done_);
  thread_.Join();
}

void Prefetch::Cancel() {
  heap_.Release();
  mapping_.Drop();
}

Reference Prefetch::Take() {
  heap_.Release();
  return std::move(mapping_);
}

// Reads every page, which makes it resident. Pages of a large segment are dropped and stay in the kernel's cache only.
void Prefetch::Checksum(size_t index) {
  const FileView& view = mapping_->view;
  const Segment& segment = view.segments()[index];
  if (!segment.data) return;
  constexpr uint64_t kStep = 4 << 20;
  uint32_t crc = 0;
  for (uint64_t at = 0; at < segment.size; at += kStep) {
    crc = Crc32(crc, segment.data + at, std::min(kStep, segment.size - at));
    DropLargePages(view, segment);
  }
  mapping_->crcs[index] = crc;
}

// Reads also what the caller has not begun. A third thread would get a processor too late on a machine with two.
void Prefetch::RunOnThread() {
  ReadWire();
  ReadOthers();
  thread_done_ = true;
  heap_.Touch(caller_done_);
}

void Prefetch::ReadOthers() {
  if (others_begun_.exchange(true)) return;
  for (size_t i = 0; i < mapping_->crcs.size(); i++) {
    if (static_cast<int32_t>(i) != wire_) Checksum(i);
  }
}

void Prefetch::ReadWire() {
  if (wire_begun_.exchange(true)) return;
  if (wire_ >= 0) ChecksumAndFeedWire();
}

void Prefetch::ChecksumAndFeedWire() {
  Checksum(wire_);
#ifdef HAS_EMBEDDER_API
  // V8 makes its second copy from its first. It reads the segment again only if it rejects the native code.
  const Segment& wire = mapping_->view.segments()[wire_];
  if (!wire.data) return;
  mapping_->compilation = std::make_unique<v8::WasmModuleCompilation>();
  mapping_->compilation->SetHasCompiledModuleBytes();
  mapping_->compilation->OnBytesReceived(wire.data, wire.size);
  mapping_->view.DropPages(wire);
#endif
}
