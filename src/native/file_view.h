// A file's segments in memory, for as short as loading takes.
//
// Mapped where nobody can change the file meanwhile: a mapping of a file that is truncated kills the process at
// the next access, and one that is written to changes under V8's eyes. Linux holds writers off with a read lease
// (fcntl(2), F_SETLEASE; the kernel lets them wait until the lease is given back), Windows with a share mode.
// Where that is refused (the file belongs to another user, or somebody has it open for writing) and elsewhere, the
// segments are read. That a file system is mounted read-only says nothing: the same files may be writable through
// another mount (a container's read-only volume).

#ifndef WASM_PRECOMPILE_FILE_VIEW_H_
#define WASM_PRECOMPILE_FILE_VIEW_H_

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#ifdef _WIN32
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <csignal>
#endif

struct Segment {
  uint64_t offset;
  uint64_t size;
  // Null where the file is too short or memory ran out.
  uint8_t* data = nullptr;
};

class FileView {
 public:
  explicit FileView(std::vector<Segment> segments) : segments_(std::move(segments)) {}
  FileView(const FileView&) = delete;
  FileView& operator=(const FileView&) = delete;
  ~FileView() { Release(); }

  // Brings the segments into memory. Gives 0, or the error number (Windows: GetLastError()) of what failed.
  int Open(const std::string& path);

  // Unmaps or frees the segments and lets go of the file.
  void Release() {
    for (Segment& segment : segments_) {
      if (segment.data == nullptr) continue;
      if (mapped_) {
        Unmap(segment);
      } else {
        free(segment.data);
      }
      segment.data = nullptr;
    }
    Close();
  }

  const std::vector<Segment>& segments() const { return segments_; }
  // Bytes of the whole file.
  uint64_t size() const { return size_; }
  bool mapped() const { return mapped_; }

  // Takes a segment out of memory, for as long as nobody reads it again; but for its first page, which JavaScript writes to.
  void Forget([[maybe_unused]] const Segment& segment) const {
#ifdef __linux__
    // Memory that maps no file would become zeros.
    if (!mapped_ || segment.data == nullptr) return;
    const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    if (segment.size > page) madvise(segment.data + page, segment.size - page, MADV_DONTNEED);
#endif
  }

 private:
  bool HoldWritersOff();
  void Map(Segment& segment);
  void Unmap(Segment& segment);
  bool Read(Segment& segment);
  void Close();

  void ReadAll() {
    for (Segment& segment : segments_) {
      if (segment.size == 0 || segment.offset + segment.size > size_) continue;
      segment.data = static_cast<uint8_t*>(malloc(segment.size));
      if (segment.data != nullptr && !Read(segment)) {
        free(segment.data);
        segment.data = nullptr;
      }
    }
  }

  std::vector<Segment> segments_;
  uint64_t size_ = 0;
  bool mapped_ = false;
#ifdef _WIN32
  HANDLE file_ = INVALID_HANDLE_VALUE;
  HANDLE mapping_ = nullptr;
#else
  int file_ = -1;
#endif
};

#ifdef _WIN32

inline int FileView::Open(const std::string& path) {
  std::wstring wide(MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, nullptr, 0), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, wide.data(), static_cast<int>(wide.size()));
  // FILE_SHARE_DELETE lets deployments replace the file by renaming; its contents stay for us.
  file_ = CreateFileW(wide.c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, nullptr, OPEN_EXISTING,
                      FILE_ATTRIBUTE_NORMAL, nullptr);
  bool held = file_ != INVALID_HANDLE_VALUE;
  if (!held) {
    file_ = CreateFileW(wide.c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                        OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  }
  LARGE_INTEGER size;
  if (file_ == INVALID_HANDLE_VALUE || !GetFileSizeEx(file_, &size)) return static_cast<int>(GetLastError());
  size_ = static_cast<uint64_t>(size.QuadPart);
  if (held) mapping_ = CreateFileMappingW(file_, nullptr, PAGE_WRITECOPY, 0, 0, nullptr);
  mapped_ = mapping_ != nullptr;
  if (!mapped_) {
    ReadAll();
  } else {
    for (Segment& segment : segments_) Map(segment);
  }
  return 0;
}

inline void FileView::Map(Segment& segment) {
  if (segment.size == 0 || segment.offset + segment.size > size_) return;
  segment.data = static_cast<uint8_t*>(MapViewOfFile(mapping_, FILE_MAP_COPY, static_cast<DWORD>(segment.offset >> 32),
                                                     static_cast<DWORD>(segment.offset), segment.size));
}

inline void FileView::Unmap(Segment& segment) { UnmapViewOfFile(segment.data); }

inline bool FileView::Read(Segment& segment) {
  uint64_t done = 0;
  while (done < segment.size) {
    OVERLAPPED at = {};
    at.Offset = static_cast<DWORD>(segment.offset + done);
    at.OffsetHigh = static_cast<DWORD>((segment.offset + done) >> 32);
    uint64_t left = segment.size - done;
    DWORD count = 0;
    DWORD wanted = left > (1u << 30) ? (1u << 30) : static_cast<DWORD>(left);
    if (!ReadFile(file_, segment.data + done, wanted, &count, &at) || count == 0) return false;
    done += count;
  }
  return true;
}

inline void FileView::Close() {
  if (mapping_ != nullptr) CloseHandle(mapping_);
  if (file_ != INVALID_HANDLE_VALUE) CloseHandle(file_);
  mapping_ = nullptr;
  file_ = INVALID_HANDLE_VALUE;
}

#else

inline int FileView::Open(const std::string& path) {
  file_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0) return errno;
  mapped_ = HoldWritersOff();
  // The size counts from here on: before, somebody might still have changed it. (Not by fstat, which would ask for
  // a newer glibc than Node does.)
  off_t size = lseek(file_, 0, SEEK_END);
  if (size < 0) return errno;
  size_ = static_cast<uint64_t>(size);
  if (mapped_) {
    for (Segment& segment : segments_) Map(segment);
  } else {
    ReadAll();
  }
  return 0;
}

inline bool FileView::HoldWritersOff() {
#ifdef F_SETLEASE
  // Somebody who waits for us makes the kernel send a signal. Not SIGIO, which would end the process, but one
  // that is ignored by default.
  return fcntl(file_, F_SETSIG, SIGURG) == 0 && fcntl(file_, F_SETLEASE, F_RDLCK) == 0;
#else
  return false;
#endif
}

inline void FileView::Map(Segment& segment) {
  if (segment.size == 0 || segment.offset + segment.size > size_) return;
  // Private and writable: a write from JavaScript neither crashes nor reaches the file.
  void* data = mmap(nullptr, segment.size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file_, static_cast<off_t>(segment.offset));
  if (data != MAP_FAILED) segment.data = static_cast<uint8_t*>(data);
}

inline void FileView::Unmap(Segment& segment) { munmap(segment.data, segment.size); }

inline bool FileView::Read(Segment& segment) {
  uint64_t done = 0;
  while (done < segment.size) {
    ssize_t count = pread(file_, segment.data + done, segment.size - done, static_cast<off_t>(segment.offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<uint64_t>(count);
  }
  return true;
}

inline void FileView::Close() {
  if (file_ < 0) return;
#ifdef F_SETLEASE
  // Closing is not enough: a child process may have inherited the descriptor between fork and exec.
  if (mapped_) fcntl(file_, F_SETLEASE, F_UNLCK);
#endif
  close(file_);
  file_ = -1;
}

#endif

#endif  // WASM_PRECOMPILE_FILE_VIEW_H_
