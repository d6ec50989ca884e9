#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/token.h"
#include "kv/kv_shape.h"
#include "kv/page_id.h"

namespace gossamer {

/// Keeps tenants apart: prefixes are shared only between sequences of one salt (its lower 63 bits).
using CacheSalt = uint64_t;

/// A page's worth of tokens after everything before it.
struct PrefixKey {
  uint64_t parent;  ///< the node before, or a root
  std::array<TokenId, kPageTokens> tokens;
  bool operator==(const PrefixKey&) const = default;
};

/// What is cached of one prefix.
struct PrefixNode {
  uint64_t id = 0;
  const PrefixKey* key = nullptr;  ///< in the index, as long as the node is
  PageId full = kNoPage;           ///< always there: a node without its full page is forgotten
  PageId sliding = kNoPage;        ///< only where a sequence may begin again behind this page (a checkpoint)
  bool spared = false;             ///< the sliding page was passed over once by eviction
};

/// Which prefixes are cached: a flat map from (parent node, the next 32 tokens) to a node. A hit compares the parent's
/// number, which is never given twice, and all tokens; so no collision of hashes can ever make two prefixes one. Not a
/// tree that has to be kept in order: a child is always evicted before its parent, because every sequence that held the
/// child held the parent, and lets go of its last page first.
class PrefixIndex {
 public:
  static uint64_t root(CacheSalt salt) { return salt | 1ull << 63; }

  /// The node of `tokens` (32) behind `parent` (a node's id or a root); null where it is not known.
  PrefixNode* find(uint64_t parent, std::span<const TokenId> tokens);
  const PrefixNode* find(uint64_t parent, std::span<const TokenId> tokens) const;
  /// Precondition: not there yet. The pointer stays valid until erase().
  PrefixNode* insert(uint64_t parent, std::span<const TokenId> tokens, PageId full);
  void erase(const PrefixNode& node);

  size_t size() const { return nodes_.size(); }
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [key, node] : nodes_) visit(node);
  }

 private:
  struct KeyHash {
    size_t operator()(const PrefixKey& key) const;
  };
  static PrefixKey key(uint64_t parent, std::span<const TokenId> tokens);

  std::unordered_map<PrefixKey, PrefixNode, KeyHash> nodes_;
  uint64_t next_id_ = 1;
};

}  // namespace gossamer
