// A file that is being loaded. Threads of the process may share it.

#ifndef WASM_PRECOMPILE_MAPPING_H_
#define WASM_PRECOMPILE_MAPPING_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "embedder_api.h"
#include "file_view.h"

// Everything that belongs to one file being loaded. Threads find it by its id; each holds a `Reference`.
struct Mapping {
  explicit Mapping(std::vector<Segment> segments) : view(std::move(segments)) {}
  ~Mapping();

  void AbortCompilation();

  FileView view;
  // CRC-32 of each segment.
  std::vector<uint32_t> crcs;
#ifdef HAS_EMBEDDER_API
  // Has received the wire bytes already.
  std::unique_ptr<v8::WasmModuleCompilation> compilation;
#endif
  // Whether V8's copies lie in a heap that was prepared for them (prepared_heap.h).
  bool heap_prepared = false;
  uint32_t id = 0;
  int references = 1;
  Mapping* next = nullptr;
};

// One thread's share in a mapping. The last one to go deletes the mapping.
class Reference {
 public:
  Reference() = default;
  Reference(Reference&& other) noexcept : mapping_(std::exchange(other.mapping_, nullptr)) {}
  Reference& operator=(Reference&& other) noexcept {
    std::swap(mapping_, other.mapping_);
    return *this;
  }
  ~Reference() { Drop(); }

  static Reference Create(std::vector<Segment> segments);

  // Empty if there is no mapping with this id any more.
  static Reference Find(uint32_t id);

  void Drop();

  Mapping* get() const { return mapping_; }
  Mapping* operator->() const { return mapping_; }

 private:
  explicit Reference(Mapping* mapping) : mapping_(mapping) {}
  Mapping* mapping_ = nullptr;
};

#endif  // WASM_PRECOMPILE_MAPPING_H_
