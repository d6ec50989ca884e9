#pragma once
/// Byte-pair merging of one piece: again and again, the pair of neighbours with the lowest rank becomes one token, the
/// leftmost one where ranks are equal. Written over a function that knows the merges:
///   Merge pair_merge(Part left, Part right)

#include <cstdint>
#include <functional>
#include <queue>
#include <string_view>
#include <vector>

#include "base/token.h"
#include "tokenizer/merge_table.h"

namespace gossamer {

/// A token of a piece that is being merged: bytes [begin, end) of the piece.
struct Part {
  size_t begin, end;
  TokenId id;
};

/// For short pieces: the parts in arrays without gaps, the lowest rank found by looking at all of them. Quadratic, and
/// faster than the heap up to kShortPieceBytes because everything lies in a few cache lines. (Tried: parts that stay
/// where they began and a packed word of rank and place for each, without a branch that depends on the text; half as
/// fast.)
inline constexpr size_t kShortPieceBytes = 64;

template <class PairMerge>
void merge_short_piece(std::string_view piece, const TokenId (&byte_ids)[256], const PairMerge& pair_merge,
                       std::vector<TokenId>& out) {
  uint32_t starts[kShortPieceBytes + 1];  // part i is [starts[i], starts[i + 1])
  TokenId ids[kShortPieceBytes];
  Merge merges[kShortPieceBytes];  // merges[i]: of parts i and i + 1
  size_t num_parts = piece.size();
  for (size_t i = 0; i < num_parts; ++i) {
    starts[i] = static_cast<uint32_t>(i);
    ids[i] = byte_ids[static_cast<unsigned char>(piece[i])];
  }
  starts[num_parts] = static_cast<uint32_t>(num_parts);
  const auto merge_at = [&](size_t i) {
    return pair_merge(Part{starts[i], starts[i + 1], ids[i]}, Part{starts[i + 1], starts[i + 2], ids[i + 1]});
  };
  for (size_t i = 0; i + 1 < num_parts; ++i) merges[i] = merge_at(i);
  while (num_parts > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < num_parts; ++i) {
      if (merges[i].rank < merges[best].rank) best = i;
    }
    if (merges[best].rank == kNoMerge) break;
    ids[best] = merges[best].id;
    --num_parts;
    for (size_t i = best + 1; i < num_parts; ++i) {
      starts[i] = starts[i + 1];
      ids[i] = ids[i + 1];
      merges[i - 1] = merges[i];
    }
    starts[num_parts] = starts[num_parts + 1];
    if (best > 0) merges[best - 1] = merge_at(best - 1);
    if (best + 1 < num_parts) merges[best] = merge_at(best);
  }
  for (size_t i = 0; i < num_parts; ++i) out.push_back(ids[i]);
}

/// For long pieces (a megabyte of one letter): a linked list of parts and a heap of their merges, n log n.
template <class PairMerge>
void merge_long_piece(std::string_view piece, const TokenId (&byte_ids)[256], const PairMerge& pair_merge,
                      std::vector<TokenId>& out) {
  struct Node {
    Part part;
    size_t previous;
    Merge merge;  // with the node that begins at part.end
  };
  // Nodes stand at the index of their first byte, so the next one is at part.end. A heap entry is rank and node in one
  // word: ranks stay below 2^23 (kMaxTokenIds), and 2^40 bytes of text fit no machine.
  constexpr int kNodeBits = 40;
  std::vector<Node> nodes(piece.size());
  for (size_t i = 0; i < piece.size(); ++i)
    nodes[i] = {{i, i + 1, byte_ids[static_cast<unsigned char>(piece[i])]}, i - 1, {}};
  const auto find_merge = [&](const Part& part) {
    return part.end < piece.size() ? pair_merge(part, nodes[part.end].part) : Merge{};
  };
  const auto entry_of = [](const Merge& merge, size_t index) { return uint64_t{merge.rank} << kNodeBits | index; };

  std::vector<uint64_t> entries;
  for (Node& node : nodes) {
    node.merge = find_merge(node.part);
    if (node.merge.rank != kNoMerge) entries.push_back(entry_of(node.merge, node.part.begin));
  }
  std::priority_queue queue(std::greater<uint64_t>(), std::move(entries));
  const auto renew_merge = [&](size_t index) {
    Node& node = nodes[index];
    node.merge = find_merge(node.part);
    if (node.merge.rank != kNoMerge) queue.push(entry_of(node.merge, index));
  };

  while (!queue.empty()) {
    const uint64_t entry = queue.top();
    queue.pop();
    const size_t index = entry & ((uint64_t{1} << kNodeBits) - 1);
    Node& node = nodes[index];
    if (node.merge.rank != entry >> kNodeBits) continue;  // its merge has changed since
    Node& absorbed = nodes[node.part.end];
    absorbed.merge = {};
    node.part = {index, absorbed.part.end, node.merge.id};
    if (node.part.end < piece.size()) nodes[node.part.end].previous = index;
    renew_merge(index);
    if (index > 0) renew_merge(node.previous);
  }
  for (size_t i = 0; i < piece.size(); i = nodes[i].part.end) out.push_back(nodes[i].part.id);
}

/// Appends the tokens of `piece`; byte_ids[b] is the token of byte b.
template <class PairMerge>
void merge_piece(std::string_view piece, const TokenId (&byte_ids)[256], const PairMerge& pair_merge,
                 std::vector<TokenId>& out) {
  if (piece.size() <= kShortPieceBytes) {
    merge_short_piece(piece, byte_ids, pair_merge, out);
  } else {
    merge_long_piece(piece, byte_ids, pair_merge, out);
  }
}

}  // namespace gossamer
