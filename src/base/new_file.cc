#include "base/new_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace gossamer {

namespace fs = std::filesystem;

/// The file while it has no name of its own yet.
struct NewFile::Temporary {
  std::string path;
  int fd = -1;
  ~Temporary() {
    if (fd >= 0) ::close(fd);
    if (!path.empty()) ::unlink(path.c_str());
  }
};

namespace {

Error cannot_write(const std::string& path, int code) {
  return make_error(ErrorCode::kIo, "cannot write {}: {}", path, std::strerror(code));
}

}  // namespace

Result<NewFile> NewFile::create(const std::string& path, uint64_t size_bytes) {
  const fs::path folder = fs::absolute(path).parent_path();
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) return cannot_write(path, failure.value());
  const fs::space_info space = fs::space(folder, failure);
  if (!failure && space.available < size_bytes)
    return make_error(ErrorCode::kIo, "{} needs {:.2f} GB of disk, and {:.2f} GB are free there", path,
                      static_cast<double>(size_bytes) / 1e9, static_cast<double>(space.available) / 1e9);

  NewFile file;
  file.path_ = path;
  file.size_bytes_ = size_bytes;
  file.temporary_ = std::make_shared<Temporary>();
  std::string name = path + ".XXXXXX";
  file.temporary_->fd = ::mkostemp(name.data(), O_CLOEXEC);
  if (file.temporary_->fd < 0) return cannot_write(path, errno);
  file.temporary_->path = name;
  if (const int code = ::posix_fallocate(file.temporary_->fd, 0, static_cast<off_t>(size_bytes)); code != 0)
    return cannot_write(path, code);
  void* address = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.temporary_->fd, 0);
  if (address == MAP_FAILED) return cannot_write(path, errno);
  file.mapping_ = std::shared_ptr<void>(address, [size_bytes](void* p) { ::munmap(p, size_bytes); });
  return file;
}

Status NewFile::commit() {
  if (::fsync(temporary_->fd) != 0 || ::rename(temporary_->path.c_str(), path_.c_str()) != 0)
    return cannot_write(path_, errno);
  temporary_->path.clear();
  return {};
}

}  // namespace gossamer
