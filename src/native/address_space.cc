#include "address_space.h"

#include <cstdio>

#ifndef _WIN32
#include <sys/resource.h>
#include <unistd.h>
#endif

bool IsAddressSpaceLimited() {
#ifndef _WIN32
  struct rlimit space;
  return getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY;
#else
  return false;
#endif
}

double ReservedAddressSpace() {
#ifdef __linux__
  // The first number is the total program size in pages (proc_pid_statm(5)).
  long pages = -1;
  if (FILE* file = fopen("/proc/self/statm", "re")) {
    if (fscanf(file, "%ld", &pages) != 1) pages = -1;
    fclose(file);
  }
  if (pages >= 0) return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
#endif
  return -1;
}
