#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/token.h"

namespace gossamer {

inline constexpr uint32_t kNoMerge = 0xFFFFFFFFu;

/// What two neighbouring tokens become, and how early: the lowest rank is merged first.
struct Merge {
  uint32_t rank = kNoMerge;  ///< kNoMerge: the two stay apart
  TokenId id = 0;
};

/// The merges of a tokenizer.json or a GGUF file: pairs of tokens, in the order of the file.
class MergeTable {
 public:
  explicit MergeTable(size_t num_merges);

  enum class Added { kYes, kDuplicate, kColliding };
  /// kColliding: the pairs were chosen so that their hashes collide.
  Added add(TokenId left, TokenId right, Merge merge);

  Merge find(TokenId left, TokenId right) const;

 private:
  struct Slot {
    uint64_t pair = ~uint64_t{0};  // left in the high half; the default is no pair of ids
    Merge merge;
  };
  size_t slot_of(uint64_t pair) const;

  std::vector<Slot> slots_;  // a power of two, at most half full; linear probing
};

}  // namespace gossamer
