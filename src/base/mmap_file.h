#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"

namespace gossamer {

/// A whole file mapped read-only. Copies share the mapping; the last one unmaps it.
/// The file must not shrink while it is mapped (reading past its new end is a SIGBUS).
class MmapFile {
 public:
  /// Maps `path`. Errors: not there, not a regular file, not readable. An empty file maps to an empty span.
  static Result<MmapFile> open(const std::string& path);

  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(mapping_.get()), size_bytes_}; }
  uint64_t size_bytes() const { return size_bytes_; }
  const std::string& path() const { return path_; }

 private:
  std::shared_ptr<const void> mapping_;
  uint64_t size_bytes_ = 0;
  std::string path_;
};

/// Advice about a part of a mapped file, which is there in any case: bring it into memory in one go, in the order of
/// the disk; or let this process's hold on it go, so that it counts once where a copy was made.
void read_ahead(std::span<const std::byte> bytes);
void drop_resident(std::span<const std::byte> bytes);

/// The whole file as text, for small files (JSON). Errors as MmapFile::open, and a size above `max_bytes`.
Result<std::string> read_file(const std::string& path, uint64_t max_bytes);

}  // namespace gossamer
