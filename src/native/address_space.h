// Whether the process may have all the address space it wants (`ulimit -v`).

#ifndef WASM_PRECOMPILE_ADDRESS_SPACE_H_
#define WASM_PRECOMPILE_ADDRESS_SPACE_H_

#ifndef _WIN32
#include <sys/resource.h>
#endif

inline bool IsAddressSpaceLimited() {
#ifndef _WIN32
  struct rlimit space;
  return getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY;
#else
  return false;
#endif
}

#endif  // WASM_PRECOMPILE_ADDRESS_SPACE_H_
