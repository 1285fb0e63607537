#ifdef _WIN32

#include "file_view.h"

int FileView::Open(const std::string& path) {
  std::wstring wide(MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, nullptr, 0), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, wide.data(), static_cast<int>(wide.size()));
  // FILE_SHARE_DELETE lets deployments replace the file by renaming; the open file keeps its contents.
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
  if (mapped_) {
    MapAll();
  } else {
    ReadAll();
  }
  return 0;
}

void FileView::Map(Segment& segment) {
  segment.data = static_cast<uint8_t*>(MapViewOfFile(mapping_, FILE_MAP_COPY, static_cast<DWORD>(segment.offset >> 32),
                                                     static_cast<DWORD>(segment.offset), segment.size));
}

void FileView::Unmap(Segment& segment) { UnmapViewOfFile(segment.data); }

bool FileView::Read(Segment& segment) {
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

void FileView::Close() {
  if (mapping_ != nullptr) CloseHandle(mapping_);
  if (file_ != INVALID_HANDLE_VALUE) CloseHandle(file_);
  mapping_ = nullptr;
  file_ = INVALID_HANDLE_VALUE;
}

#endif
