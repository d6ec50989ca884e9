#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/token.h"
#include "tokenizer/flat_map.h"
#include "tokenizer/piece_key.h"

namespace gossamer {

inline constexpr TokenId kNoToken = FlatMap::kNotFound;

/// The bytes of each text token, and the token of given bytes: one blob, one array of offsets and one flat hash table,
/// so that 200,000 tokens are there within milliseconds.
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
    return {blob_.data() + offsets_[id], offsets_[id + 1] - offsets_[id]};
  }

  /// kNoToken where no token has these bytes.
  TokenId find(std::string_view bytes) const;

  /// find({p, size}) where PieceKey::kReadBytes can be read at p.
  TokenId find_padded(const char* p, size_t size) const {
    if (size <= kShortBytes) return short_tokens_.find(load_word(p, size));
    return size <= PieceKey::kMaxBytes ? find_key(PieceKey::load(p, size)) : find_long({p, size});
  }

  /// find() for the bytes of a key.
  TokenId find(PieceKey key) const {
    return key.size() <= kShortBytes ? short_tokens_.find(key.word()) : find_key(key);
  }
  /// Begins to load what find(key) will read.
  void prefetch(PieceKey key) const {
    if (key.size() <= kShortBytes) {
      short_tokens_.prefetch(key.word());
    } else {
      long_tokens_.prefetch(long_key(hash_of(key)));
    }
  }

  /// find({p, 2}): where merging begins.
  TokenId find_pair(const char* p) const {
    return pairs_[static_cast<unsigned char>(p[0]) << 8 | static_cast<unsigned char>(p[1])];
  }

 private:
  static constexpr size_t kShortBytes = 5;

  struct Counts {
    size_t num_short = 0, num_long = 0, longest = 0;
  };
  TokenTable(std::string blob, std::vector<uint32_t> offsets, Counts counts);

  /// Of 6 to 15 bytes.
  TokenId find_key(PieceKey key) const {
    const TokenId id = long_tokens_.find(long_key(hash_of(key)));
    return id != kNoToken && has_key(id, key) ? id : kNoToken;
  }
  bool has_key(TokenId id, PieceKey key) const {
    const size_t size = offsets_[id + 1] - offsets_[id];
    return size == key.size() && PieceKey::load(blob_.data() + offsets_[id], size) == key;
  }
  TokenId find_long(std::string_view bytes) const;
  Added add(TokenId id);
  static uint64_t long_key(uint64_t hash) { return hash >> 1; }  // never FlatMap::kNoKey

  std::string blob_;               // with PieceKey::kReadBytes of padding
  std::vector<uint32_t> offsets_;  // [num_ids + 1]
  std::vector<TokenId> pairs_;     // [65536]: tokens of two bytes
  PackedMap short_tokens_;         // up to kShortBytes bytes; by load_word()
  FlatMap long_tokens_;            // by a hash, so the bytes are looked at too
  uint32_t num_tokens_ = 0;
  size_t longest_token_bytes_ = 0;
};

}  // namespace gossamer
