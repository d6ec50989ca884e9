#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "base/result.h"

namespace gossamer {

/// A lock that threads and processes share by the name of an empty file, which is there only while somebody holds it.
/// Whoever dies lets go of it. A filesystem that knows no locks keeps nobody out.
class FileLock {
 public:
  /// Waits until nobody else holds `path`, whose folders are made; `waiting` is told meanwhile, ten times a second, for
  /// how long. Errors: no right to write there.
  static Result<FileLock> take(const std::string& path, const std::function<void(std::chrono::seconds)>& waiting);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  FileLock(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  std::string path_;
  int fd_;  // -1: moved from
};

/// What an open file says of its lock: another open file holds it; or this one does, if the filesystem knows locks.
bool is_locked_elsewhere(int fd);
/// True where `path` names the file that is open as `fd`.
bool is_name_of(const std::string& path, int fd);

}  // namespace gossamer
