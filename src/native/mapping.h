// A file being loaded, which threads may share.

#ifndef WASM_PRECOMPILE_MAPPING_H_
#define WASM_PRECOMPILE_MAPPING_H_

#include <v8.h>

#include <memory>
#include <mutex>
#include <utility>

#include "file_view.h"
#include "heap.h"

#if V8_MAJOR_VERSION >= 14
#define HAS_EMBEDDER_API 1
#include <v8-wasm.h>
#endif

// Everything that belongs to one file being loaded. Threads share it by its id; `Reference` keeps it.
struct Mapping {
  explicit Mapping(std::vector<Segment> segments) : view(std::move(segments)) {}
  FileView view;
  // CRC-32 of each segment.
  std::vector<uint32_t> crcs;
#ifdef HAS_EMBEDDER_API
  // Has received the wire bytes already.
  std::unique_ptr<v8::WasmModuleCompilation> compilation;
#endif
  // Whether V8's copies are in a heap that was prepared for them (heap.h).
  bool heap_prepared = false;
  uint32_t id = 0;
  int references = 1;
  Mapping* next = nullptr;

  ~Mapping() {
    AbortCompilation();
    view.Release();
    if (heap_prepared) TrimHeap();
  }

  void AbortCompilation() {
#ifdef HAS_EMBEDDER_API
    if (compilation) compilation->Abort();
    compilation.reset();
#endif
  }
};

// All mappings of the process, and what guards the list, the ids and the numbers of references.
inline std::mutex mappings_mutex;
inline Mapping* first_mapping = nullptr;
inline uint32_t last_id = 0;

// One thread's share in a mapping, which goes with the last of them.
class Reference {
 public:
  Reference() = default;
  Reference(Reference&& other) noexcept : mapping_(std::exchange(other.mapping_, nullptr)) {}
  Reference& operator=(Reference&& other) noexcept {
    std::swap(mapping_, other.mapping_);
    return *this;
  }
  ~Reference() { Drop(); }

  static Reference Create(std::vector<Segment> segments) {
    Reference reference(new Mapping(std::move(segments)));
    std::lock_guard<std::mutex> lock(mappings_mutex);
    reference->id = ++last_id;
    reference->next = std::exchange(first_mapping, reference.mapping_);
    return reference;
  }

  // Empty where there is no such mapping (any more).
  static Reference Find(uint32_t id) {
    std::lock_guard<std::mutex> lock(mappings_mutex);
    for (Mapping* mapping = first_mapping; mapping != nullptr; mapping = mapping->next) {
      if (mapping->id != id) continue;
      mapping->references++;
      return Reference(mapping);
    }
    return Reference();
  }

  void Drop() {
    Mapping* mapping = std::exchange(mapping_, nullptr);
    if (mapping == nullptr) return;
    {
      std::lock_guard<std::mutex> lock(mappings_mutex);
      if (--mapping->references > 0) return;
      Mapping** link = &first_mapping;
      while (*link != mapping) link = &(*link)->next;
      *link = mapping->next;
    }
    delete mapping;
  }

  Mapping* get() const { return mapping_; }
  Mapping* operator->() const { return mapping_; }

 private:
  explicit Reference(Mapping* mapping) : mapping_(mapping) {}
  Mapping* mapping_ = nullptr;
};

#endif  // WASM_PRECOMPILE_MAPPING_H_
