#include "tokenizer/merge_table.h"

#include <bit>

#include "tokenizer/byte_hash.h"

namespace gossamer {
namespace {

constexpr size_t kMaxProbes = 4096;  // as in token_table.cc: against chosen collisions

uint64_t pair_of(TokenId left, TokenId right) { return static_cast<uint64_t>(left) << 32 | right; }

}  // namespace

MergeTable::MergeTable(size_t num_merges) : slots_(std::bit_ceil(num_merges * 2 + 1)) {}

size_t MergeTable::slot_of(uint64_t pair) const {
  return mix(pair ^ 0xD6E8FEB86659FD93u, 0x9E3779B97F4A7C15u) & (slots_.size() - 1);
}

MergeTable::Added MergeTable::add(TokenId left, TokenId right, Merge merge) {
  const uint64_t pair = pair_of(left, right);
  size_t slot = slot_of(pair);
  for (size_t probes = 0; slots_[slot].merge.rank != kNoMerge; slot = (slot + 1) & (slots_.size() - 1)) {
    if (slots_[slot].pair == pair) return Added::kDuplicate;
    if (++probes == kMaxProbes) return Added::kColliding;
  }
  slots_[slot] = {pair, merge};
  return Added::kYes;
}

Merge MergeTable::find(TokenId left, TokenId right) const {
  const uint64_t pair = pair_of(left, right);
  for (size_t slot = slot_of(pair);; slot = (slot + 1) & (slots_.size() - 1)) {
    if (slots_[slot].merge.rank == kNoMerge) return {};
    if (slots_[slot].pair == pair) return slots_[slot].merge;
  }
}

}  // namespace gossamer
