#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

namespace gossamer {

bool is_locked_elsewhere(int fd) {
  return ::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

bool is_name_of(const std::string& path, int fd) {
  struct stat named{}, open{};
  return ::stat(path.c_str(), &named) == 0 && ::fstat(fd, &open) == 0 && named.st_dev == open.st_dev &&
         named.st_ino == open.st_ino;
}

Result<FileLock> FileLock::take(const std::string& path, const std::function<void(std::chrono::seconds)>& waiting) {
  using Clock = std::chrono::steady_clock;
  constexpr auto kLookEvery = std::chrono::milliseconds(100);
  const auto cannot_lock = [&](int code) {
    return make_error(ErrorCode::kIo, "cannot write {}: {}", path, std::strerror(code));
  };
  std::error_code failure;
  std::filesystem::create_directories(std::filesystem::absolute(path).parent_path(), failure);
  if (failure) return cannot_lock(failure.value());
  const auto began = Clock::now();
  while (true) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return cannot_lock(errno);
    const bool is_free = !is_locked_elsewhere(fd);
    if (is_free && is_name_of(path, fd)) return FileLock(path, fd);
    ::close(fd);
    if (is_free) continue;  // its last holder has just removed it
    waiting(std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - began));
    std::this_thread::sleep_for(kLookEvery);
  }
}

FileLock::FileLock(FileLock&& other) noexcept : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

FileLock::~FileLock() {
  if (fd_ < 0) return;
  ::unlink(path_.c_str());  // while it is held, so that it is nobody else's
  ::close(fd_);
}

}  // namespace gossamer
