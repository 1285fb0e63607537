#include "mapping.h"

#include <mutex>

#include "prepared_heap.h"

namespace {

// Guards the list of all mappings of the process, the ids and the numbers of references.
std::mutex mappings_mutex;
Mapping* first_mapping = nullptr;
uint32_t last_id = 0;

}  // namespace

Mapping::~Mapping() {
  AbortCompilation();
  view.Release();
  if (heap_prepared) TrimHeap();
}

void Mapping::AbortCompilation() {
#ifdef HAS_EMBEDDER_API
  if (compilation) compilation->Abort();
  compilation.reset();
#endif
}

Reference Reference::Create(std::vector<Segment> segments) {
  Reference reference(new Mapping(std::move(segments)));
  std::lock_guard<std::mutex> lock(mappings_mutex);
  reference->id = ++last_id;
  reference->next = std::exchange(first_mapping, reference.mapping_);
  return reference;
}

Reference Reference::Find(uint32_t id) {
  std::lock_guard<std::mutex> lock(mappings_mutex);
  for (Mapping* mapping = first_mapping; mapping != nullptr; mapping = mapping->next) {
    if (mapping->id != id) continue;
    mapping->references++;
    return Reference(mapping);
  }
  return Reference();
}

void Reference::Drop() {
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
