#include "kv/prefix_index.h"

#include <algorithm>

namespace gossamer {

/// A multiply and a shift a token: short, and good enough for a table whose hits compare everything.
size_t PrefixIndex::KeyHash::operator()(const PrefixKey& key) const {
  uint64_t hash = key.parent * 0x9e3779b97f4a7c15ull;
  for (TokenId token : key.tokens) {
    hash = (hash ^ token) * 0xff51afd7ed558ccdull;
    hash ^= hash >> 32;
  }
  return hash;
}

PrefixKey PrefixIndex::key(uint64_t parent, std::span<const TokenId> tokens) {
  PrefixKey key{parent, {}};
  std::copy_n(tokens.begin(), kPageTokens, key.tokens.begin());
  return key;
}

PrefixNode* PrefixIndex::find(uint64_t parent, std::span<const TokenId> tokens) {
  const auto found = nodes_.find(key(parent, tokens));
  return found == nodes_.end() ? nullptr : &found->second;
}

const PrefixNode* PrefixIndex::find(uint64_t parent, std::span<const TokenId> tokens) const {
  return const_cast<PrefixIndex*>(this)->find(parent, tokens);
}

PrefixNode* PrefixIndex::insert(uint64_t parent, std::span<const TokenId> tokens, PageId full) {
  const auto at = nodes_.emplace(key(parent, tokens), PrefixNode{.id = next_id_++, .full = full}).first;
  at->second.key = &at->first;
  return &at->second;
}

void PrefixIndex::erase(const PrefixNode& node) {
  nodes_.erase(nodes_.find(*node.key));
}

}  // namespace gossamer
