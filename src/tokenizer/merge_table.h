#pragma once

#include <vector>

#include "base/token.h"
#include "tokenizer/flat_map.h"

namespace gossamer {

inline constexpr uint32_t kNoMerge = FlatMap::kNotFound;

/// What two neighbouring tokens become, and how early: the lowest rank is merged first.
struct Merge {
  uint32_t rank = kNoMerge;  ///< kNoMerge: the two stay apart
  TokenId id = 0;
};

/// The merges of a tokenizer.json or a GGUF file: pairs of tokens; the rank of a merge is its place in the list. Of a
/// pair that is listed twice the later place counts, as Hugging Face's tokenizers have it.
class MergeTable {
 public:
  explicit MergeTable(size_t num_merges) : ranks_(num_merges) { merged_.reserve(num_merges); }

  /// The next merge: `left` and `right` become `merged`. False where the pairs were chosen so that their hashes
  /// collide.
  bool add(TokenId left, TokenId right, TokenId merged) {
    const auto rank = static_cast<uint32_t>(merged_.size());
    merged_.push_back(merged);
    const Added added = ranks_.add(pair_of(left, right), rank);
    if (added == Added::kDuplicate) ranks_.replace(pair_of(left, right), rank);
    return added != Added::kColliding;
  }

  Merge find(TokenId left, TokenId right) const {
    const uint32_t rank = ranks_.find(pair_of(left, right));
    return rank == kNoMerge ? Merge{} : Merge{rank, merged_[rank]};
  }

 private:
  static uint64_t pair_of(TokenId left, TokenId right) { return static_cast<uint64_t>(left) << 32 | right; }

  FlatMap ranks_;                // by pair_of()
  std::vector<TokenId> merged_;  // by rank
};

}  // namespace gossamer
