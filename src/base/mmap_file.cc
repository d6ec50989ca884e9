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

Result<std::string> read_file(const std::string& path, uint64_t max_bytes) {
  GOS_TRY(MmapFile file, MmapFile::open(path));
  if (file.size_bytes() > max_bytes)
    return make_error(ErrorCode::kInvalidInput, "{} has {} bytes, more than the {} allowed for such a file", path,
                      file.size_bytes(), max_bytes);
  const auto bytes = file.bytes();
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace gossamer
