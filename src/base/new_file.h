#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

namespace gossamer {

/// A file of known size that is filled through memory and appears under its name all at once, or not at all.
///
/// Until then it has no name, so that nothing is left of it even where the process is killed. On a filesystem that has
/// no files without names it is PATH.new-XXXXXX, locked: create() removes those of a dead process.
class NewFile {
 public:
  enum class Until : uint8_t { kNamelessIfPossible, kNamed };

  /// Takes `size_bytes` of disk beside `path`, whose folders are made, so that writing to data() cannot fail later.
  /// `until_committed` says what it is before commit(), for tests. Errors: not that much disk free (the sentence has
  /// both values), or no right to write there.
  static Result<NewFile> create(const std::string& path, uint64_t size_bytes,
                                Until until_committed = Until::kNamelessIfPossible);

  std::byte* data() const { return static_cast<std::byte*>(mapping_.get()); }  ///< zeros at first; aligned to a page
  /// Stays there as long as somebody holds it, committed or not.
  std::shared_ptr<std::byte> mapping() const { return {mapping_, data()}; }

  /// Writes everything to the disk and gives the file its name, in place of one that has it. Without it the file is
  /// gone with the last copy of this.
  Status commit();

 private:
  struct Temporary;
  std::shared_ptr<void> mapping_;
  std::shared_ptr<Temporary> temporary_;
  std::string path_;
  uint64_t size_bytes_ = 0;
};

}  // namespace gossamer
