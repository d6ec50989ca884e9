#pragma once

#include <string>

#include "base/result.h"

namespace gossamer::synthetic {

enum class OutputKind : uint8_t { kFile, kFolder };

/// A file or folder to be, under the name NAME.part until it is complete. What is given up is removed.
class PendingOutput {
 public:
  /// Makes the folder (a file is made by whoever writes it), and removes a NAME.part that an earlier run left.
  /// Errors: the folder around it is not there or cannot be written; `path` is there and `force` is not set (an empty
  /// folder may be filled); it is there and of the other kind, or a folder with files that are none of such a model,
  /// which is never replaced.
  static Result<PendingOutput> create(const std::string& path, OutputKind kind, bool force);
  PendingOutput(PendingOutput&& other) noexcept;
  ~PendingOutput();

  const std::string& part_path() const { return part_path_; }
  /// Gives it its name, in place of what was there. A file changes hands in one moment; an old folder is gone just
  /// before. Errors: the system refuses.
  Status publish();

 private:
  PendingOutput(std::string path, OutputKind kind) : path_(std::move(path)), kind_(kind) {}

  std::string path_, part_path_ = path_ + ".part";
  OutputKind kind_;
  bool pending_ = true;
};

/// Errors: fewer than `needed_bytes` are free; the sentence has both. `free_bytes` is what the disk of `path` has.
Status check_free_space(const std::string& path, uint64_t needed_bytes, uint64_t free_bytes);
/// What an ordinary user may still write on the disk where `path` will lie; the largest number where the system does
/// not say.
uint64_t free_space_bytes(const std::string& path);

}  // namespace gossamer::synthetic
