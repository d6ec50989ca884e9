#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/token.h"

namespace gossamer {

inline constexpr TokenId kNoToken = 0xFFFFFFFFu;

/// The bytes of each text token, and the token of given bytes: one blob, one array of offsets and one flat hash table, so that
/// 200,000 tokens are there within milliseconds.
class TokenTable {
 public:
  /// Token i has the bytes [offsets[i], offsets[i + 1]) of `blob`; an id without bytes is not a text token.
  /// Errors: two tokens have the same bytes; `what` names the vocabulary.
  static Result<TokenTable> build(std::string blob, std::vector<uint32_t> offsets, std::string_view what);

  uint32_t num_ids() const { return static_cast<uint32_t>(offsets_.size() - 1); }
  uint32_t num_tokens() const { return num_tokens_; }  ///< ids that have bytes

  /// Empty where `id` is not a text token.
  std::string_view bytes(TokenId id) const {
    if (id >= num_ids()) return {};
    return std::string_view(blob_).substr(offsets_[id], offsets_[id + 1] - offsets_[id]);
  }

  /// kNoToken where no token has these bytes.
  TokenId find(std::string_view bytes) const;

  uint32_t longest_token_bytes() const { return longest_token_bytes_; }

 private:
  struct Slot {
    uint32_t tag;          // high half of the hash, to look at the bytes only where they will match
    TokenId id = kNoToken;
  };

  std::string blob_;
  std::vector<uint32_t> offsets_;  // [num_ids + 1]
  std::vector<Slot> slots_;        // a power of two, at most half full; linear probing
  uint32_t num_tokens_ = 0;
  uint32_t longest_token_bytes_ = 0;
};

}  // namespace gossamer
