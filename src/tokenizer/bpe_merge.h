#pragma once
/// Byte-pair merging of one piece: again and again, the pair of neighbours with the lowest rank becomes one token, the leftmost
/// one where ranks are equal. Written over a function that knows the merges:
///   Merge pair_merge(Part left, Part right)

#include <algorithm>
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

/// For short pieces: the lowest rank is found by looking at all of them. Quadratic, but everything lies in a few cache lines and
/// nothing is allocated. (Tried: closing the gap after each merge, to look at fewer; slower.)
inline constexpr size_t kShortPieceBytes = 64;

template <class PairMerge>
void merge_short_piece(std::string_view piece, const TokenId (&byte_ids)[256], const PairMerge& pair_merge,
                       std::vector<TokenId>& out) {
  // A part stands at the index of its first byte. order[i] = rank << 8 | i of its merge with the next part: the smallest one is
  // the lowest rank, and the leftmost of that rank. Ranks stay below 2^23 (kMaxTokenIds).
  constexpr uint32_t kNone = 0xFFFFFFFFu;
  uint32_t order[kShortPieceBytes];
  TokenId merged[kShortPieceBytes], ids[kShortPieceBytes];
  uint8_t ends[kShortPieceBytes], previous[kShortPieceBytes];
  const size_t size = piece.size();
  const auto set_merge = [&](size_t i) {
    const size_t next = ends[i];
    if (next == size) {
      order[i] = kNone;
      return;
    }
    const Merge merge = pair_merge(Part{i, next, ids[i]}, Part{next, ends[next], ids[next]});
    order[i] = merge.rank == kNoMerge ? kNone : merge.rank << 8 | static_cast<uint32_t>(i);
    merged[i] = merge.id;
  };
  for (size_t i = 0; i < size; ++i) {
    ids[i] = byte_ids[static_cast<unsigned char>(piece[i])];
    ends[i] = static_cast<uint8_t>(i + 1);
    previous[i] = static_cast<uint8_t>(i - 1);
  }
  for (size_t i = 0; i < size; ++i) set_merge(i);

  for (;;) {
    uint32_t best = kNone;
    for (size_t i = 0; i < size; ++i) best = std::min(best, order[i]);
    if (best == kNone) break;
    const size_t i = best & 0xFF, absorbed = ends[i];
    ids[i] = merged[i];
    ends[i] = ends[absorbed];
    order[absorbed] = kNone;
    if (ends[i] != size) previous[ends[i]] = static_cast<uint8_t>(i);
    set_merge(i);
    if (i > 0) set_merge(previous[i]);
  }
  for (size_t i = 0; i < size; i = ends[i]) out.push_back(ids[i]);
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
  // Nodes stand at the index of their first byte, so the next one is at part.end. A heap entry is rank and node in one word:
  // ranks stay below 2^23 (kMaxTokenIds), and 2^40 bytes of text fit no machine.
  constexpr int kNodeBits = 40;
  std::vector<Node> nodes(piece.size());
  std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> queue;
  const auto set_merge = [&](size_t index) {
    Node& node = nodes[index];
    node.merge = node.part.end < piece.size() ? pair_merge(node.part, nodes[node.part.end].part) : Merge{};
    if (node.merge.rank != kNoMerge) queue.push(static_cast<uint64_t>(node.merge.rank) << kNodeBits | index);
  };
  for (size_t i = 0; i < piece.size(); ++i)
    nodes[i] = {{i, i + 1, byte_ids[static_cast<unsigned char>(piece[i])]}, i - 1, {}};
  for (size_t i = 0; i < piece.size(); ++i) set_merge(i);

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
    set_merge(index);
    if (index > 0) set_merge(node.previous);
  }
  for (size_t i = 0; i < piece.size(); i = nodes[i].part.end) out.push_back(nodes[i].part.id);
}

/// Appends the tokens of `piece`; byte_ids[b] is the token of byte b.
template <class PairMerge>
void merge_piece(std::string_view piece, const TokenId (&byte_ids)[256], const PairMerge& pair_merge, std::vector<TokenId>& out) {
  if (piece.size() <= kShortPieceBytes) {
    merge_short_piece(piece, byte_ids, pair_merge, out);
  } else {
    merge_long_piece(piece, byte_ids, pair_merge, out);
  }
}

}  // namespace gossamer
