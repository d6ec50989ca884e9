#pragma once
/// The numbers from which all memory of the KV cache follows (docs/kv-cache.md). Bytes are counted here and laid out in
/// kernels/: this room knows pages by number only.

#include <cstdint>

namespace gossamer {

/// Tokens of a page. 32 rows of 64 bf16 are 4 KiB in one piece, a window of 128 is four pages, and the mean waste at
/// the end of a sequence is half a page.
inline constexpr uint32_t kPageTokens = 32;

/// Pages that `tokens` tokens touch, the first one at the start of a page.
constexpr uint32_t pages_of(uint64_t tokens) {
  return static_cast<uint32_t>((tokens + kPageTokens - 1) / kPageTokens);
}

/// What the cache of a model looks like. Two groups of layers share one pool of pages: full layers keep every token,
/// sliding layers their window. A page belongs to one group while it is in use and is large enough for either.
struct KvShape {
  uint32_t full_layers = 0;
  uint32_t sliding_layers = 0;
  uint32_t window_tokens = 128;         ///< W: a token of a sliding layer sees itself and W - 1 before it
  uint64_t token_bytes_of_a_layer = 0;  ///< keys and values of one token in one layer, scales included

  uint64_t page_bytes() const {
    const uint64_t layers = full_layers > sliding_layers ? full_layers : sliding_layers;
    return layers * token_bytes_of_a_layer * kPageTokens;
  }

  /// Whole pages before a page boundary that a token standing there may look into: ceil((W - 1) / 32), 4 for W = 128.
  uint32_t window_pages() const { return pages_of(window_tokens - 1); }

  /// The most sliding pages that one sequence holds while `unsettled` of its tokens are planned or being computed:
  /// W - 1 + unsettled consecutive tokens, anywhere, touch that many pages (and none is held that they do not touch).
  uint32_t max_sliding_pages(uint32_t unsettled_tokens) const {
    return pages_of(window_tokens - 2 + unsettled_tokens) + 1;
  }

  /// Pages of one sequence of `tokens` tokens that is `unsettled` tokens ahead of what is settled.
  uint32_t pages_of_sequence(uint32_t tokens, uint32_t unsettled_tokens) const {
    const uint32_t full = pages_of(tokens), sliding = max_sliding_pages(unsettled_tokens);
    return (full_layers ? full : 0) + (sliding_layers ? (sliding < full ? sliding : full) : 0);
  }

  /// How many sequences of `tokens` tokens fit into `pages` pages, each at the end of its decode.
  uint32_t sequences_in(uint32_t pages, uint32_t tokens) const { return pages / pages_of_sequence(tokens, 1); }

  /// The longest single sequence that `pages` pages hold while `unsettled_tokens` of it are under way; 0: none.
  uint32_t longest_sequence(uint32_t pages, uint32_t unsettled_tokens) const {
    const uint32_t sliding = sliding_layers ? max_sliding_pages(unsettled_tokens) : 0;
    return pages > sliding ? (pages - sliding) * kPageTokens : 0;
  }
};

}  // namespace gossamer
