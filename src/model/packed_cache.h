#pragma once

#include <memory>
#include <string>

#include "base/new_file.h"
#include "base/progress.h"
#include "base/thread_pool.h"
#include "checkpoint/checkpoint.h"

namespace gossamer {

/// Packed weights in a file of their own, so that later loads map them instead of making them again.
///
/// Layout: a page of header (what is packed, and how), the weights, then a checksum (XXH3) for every kCheckedBytes of
/// them. A file that is not exactly what is wanted, or of which a bit has changed, is made anew.
struct PackedCacheKey {
  std::string layout;       ///< Backend::packed_layout_id()
  std::string model_path;   ///< of the folder or file
  std::string source;       ///< digest of the model's files, see source_digest()
  uint64_t size_bytes = 0;  ///< of the packed weights
};

/// Tells whether the files are those that were packed: names aside, their sizes, inodes, times of change (of the inode
/// too, which nobody can set back), beginnings, and samples of the rest. Reads little.
std::string source_digest(const Checkpoint& checkpoint);

/// $GOSSAMER_HOME/packed, else $XDG_CACHE_HOME/gossamer/packed, else ~/.cache/gossamer/packed; and in it a name made of
/// model path and layout, so that what was packed of a model as it was once makes room for what it is now. Empty where
/// there is no home.
std::string packed_cache_path(const PackedCacheKey& key);

/// The weights in the file at `path`, mapped; null where there is no such file or it is not what `key` says. Reads all
/// of it.
std::shared_ptr<const std::byte> open_packed_cache(const std::string& path, const PackedCacheKey& key,
                                                   ThreadPool& threads, const ProgressFn& progress);

/// A file that is being made: weights() is to be filled with key.size_bytes, then finish() puts it in its place.
class NewPackedCache {
 public:
  /// Errors: as NewFile::create().
  static Result<NewPackedCache> create(const std::string& path, const PackedCacheKey& key);
  std::shared_ptr<std::byte> weights() const;
  Status finish(ThreadPool& threads);

 private:
  NewPackedCache(NewFile file, PackedCacheKey key) : file_(std::move(file)), key_(std::move(key)) {}
  NewFile file_;
  PackedCacheKey key_;
};

}  // namespace gossamer
