#include "base/mmap_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace gossamer {
namespace {

/// Owns a file descriptor for the length of a scope.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

Error system_error(std::string_view doing, const std::string& path) {
  const int code = errno;
  return make_error(code == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, "cannot {} {}: {}", doing, path,
                    std::strerror(code));
}

}  // namespace

Result<MmapFile> MmapFile::open(const std::string& path) {
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return system_error("open", path);
  struct stat info{};
  if (::fstat(file.fd, &info) != 0) return system_error("read the size of", path);
  if (!S_ISREG(info.st_mode)) return make_error(ErrorCode::kInvalidInput, "{} is not a regular file", path);
  MmapFile result;
  result.path_ = path;
  result.size_bytes_ = static_cast<uint64_t>(info.st_size);
  if (result.size_bytes_ == 0) return result;
  const size_t length = result.size_bytes_;
  void* address = ::mmap(nullptr, length, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (address == MAP_FAILED) return system_error("map", path);
  result.mapping_ =
      std::shared_ptr<const void>(address, [length](const void* p) { ::munmap(const_cast<void*>(p), length); });
  return result;
}

namespace {

/// The whole pages of memory inside `bytes`, or around it.
std::span<std::byte> pages_of(std::span<const std::byte> bytes, bool around) {
  static const auto page_bytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));  // 64 KB on some Arm systems
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data()), end = begin + bytes.size();
  const uintptr_t up = page_bytes - 1;
  const uintptr_t first = (around ? begin : begin + up) & ~up, last = (around ? end + up : end) & ~up;
  return {reinterpret_cast<std::byte*>(first), last > first ? last - first : 0};
}

}  // namespace

void read_ahead(std::span<const std::byte> bytes) {
  const std::span<std::byte> pages = pages_of(bytes, true);
  if (pages.empty()) return;
#ifdef MADV_POPULATE_READ
  if (madvise(pages.data(), pages.size(), MADV_POPULATE_READ) == 0) return;
#endif
  madvise(pages.data(), pages.size(), MADV_WILLNEED);
}

void drop_resident(std::span<const std::byte> bytes) {
  const std::span<std::byte> pages = pages_of(bytes, false);
  if (!pages.empty()) madvise(pages.data(), pages.size(), MADV_DONTNEED);
}

Result<std::string> read_file(const std::string& path, uint64_t max_bytes) {
  GOS_TRY(MmapFile file, MmapFile::open(path));
  if (file.size_bytes() > max_bytes)
    return make_error(ErrorCode::kInvalidInput, "{} has {} bytes, more than the {} allowed for such a file", path,
                      file.size_bytes(), max_bytes);
  const auto bytes = file.bytes();
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace gossamer
