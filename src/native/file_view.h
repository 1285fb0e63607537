// The segments of a file in memory, mapped or read.
//
// A file is mapped only if no process can change it meanwhile. Accessing a mapping of a truncated file kills the
// process, and a write to the file would change memory while V8 reads it. Linux holds writers off with a read lease
// (fcntl(2), F_SETLEASE: the kernel blocks them until the lease is given back), Windows with a share mode.
//
// The segments are read instead if that is refused, because the file belongs to another user or is open for writing,
// and on other platforms. A read-only mount is no protection: the same file may be writable through another mount,
// for example a read-only volume of a container.

#ifndef WASM_PRECOMPILE_FILE_VIEW_H_
#define WASM_PRECOMPILE_FILE_VIEW_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#ifdef _WIN32
#include <windows.h>
#endif

struct Segment {
  uint64_t offset;
  uint64_t size;
  // Null if the file is too short or memory ran out.
  uint8_t* data = nullptr;
};

// Its platform's part is in file_view_posix.cc or file_view_windows.cc.
class FileView {
 public:
  explicit FileView(std::vector<Segment> segments) : segments_(std::move(segments)) {}
  FileView(const FileView&) = delete;
  FileView& operator=(const FileView&) = delete;
  ~FileView() { Release(); }

  // Maps or reads the segments. Returns 0, or the error number (Windows: GetLastError()) of the call that failed.
  int Open(const std::string& path);

  // Unmaps or frees the segments and closes the file.
  void Release();

  // Drops the physical pages of a mapped segment; the next access reads them from the file again. Keeps the first
  // page, because JavaScript writes to it.
  void DropPages(const Segment& segment) const;

  const std::vector<Segment>& segments() const { return segments_; }
  // Bytes of the file.
  uint64_t size() const { return size_; }
  bool mapped() const { return mapped_; }

 private:
  bool IsInFile(const Segment& segment) const;
  void MapAll();
  void Map(Segment& segment);
  void Unmap(Segment& segment);
  void ReadAll();
  bool Read(Segment& segment);
  void Close();

  std::vector<Segment> segments_;
  uint64_t size_ = 0;
  bool mapped_ = false;
#ifdef _WIN32
  HANDLE file_ = INVALID_HANDLE_VALUE;
  HANDLE mapping_ = nullptr;
#else
  bool HoldWritersOff();
  int file_ = -1;
#endif
};

#endif  // WASM_PRECOMPILE_FILE_VIEW_H_
