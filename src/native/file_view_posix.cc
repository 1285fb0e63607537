#ifndef _WIN32

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "file_view.h"

int FileView::Open(const std::string& path) {
  file_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0) return errno;
  mapped_ = HoldWritersOff();
  // Only now, since a writer might have changed the size before the lease. Not by fstat, which would need a newer
  // glibc than Node does.
  off_t size = lseek(file_, 0, SEEK_END);
  if (size < 0) return errno;
  size_ = static_cast<uint64_t>(size);
  if (mapped_) {
    MapAll();
  } else {
    ReadAll();
  }
  return 0;
}

bool FileView::HoldWritersOff() {
#ifdef F_SETLEASE
  // The kernel sends the holder of a lease a signal when a writer blocks on it. The default one, SIGIO, would end the
  // process; SIGURG is ignored by default.
  return fcntl(file_, F_SETSIG, SIGURG) == 0 && fcntl(file_, F_SETLEASE, F_RDLCK) == 0;
#else
  return false;
#endif
}

void FileView::Map(Segment& segment) {
  // Private and writable: a write from JavaScript neither crashes nor reaches the file.
  void* data =
      mmap(nullptr, segment.size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file_, static_cast<off_t>(segment.offset));
  if (data != MAP_FAILED) segment.data = static_cast<uint8_t*>(data);
}

void FileView::Unmap(Segment& segment) { munmap(segment.data, segment.size); }

bool FileView::Read(Segment& segment) {
  uint64_t done = 0;
  while (done < segment.size) {
    ssize_t count = pread(file_, segment.data + done, segment.size - done, static_cast<off_t>(segment.offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<uint64_t>(count);
  }
  return true;
}

void FileView::Close() {
  if (file_ < 0) return;
#ifdef F_SETLEASE
  // Closing is not enough: a child process may have inherited the descriptor between fork and exec.
  if (mapped_) fcntl(file_, F_SETLEASE, F_UNLCK);
#endif
  close(file_);
  file_ = -1;
}

#endif
