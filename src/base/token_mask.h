#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "base/token.h"

namespace gossamer {

/// Which tokens may follow: bit v of word v / 32 is set where token v is allowed. Bits beyond the vocabulary are 0.
class TokenMask {
 public:
  TokenMask(uint32_t vocab_size, bool allowed)
      : vocab_size_(vocab_size), words_((vocab_size + 31) / 32, allowed ? 0xffffffffu : 0u) {
    if (allowed && vocab_size % 32 != 0) words_.back() >>= 32 - vocab_size % 32;
  }
  uint32_t vocab_size() const { return vocab_size_; }
  bool allows(TokenId token) const { return words_[token / 32] >> (token % 32) & 1u; }
  void allow(TokenId token) { words_[token / 32] |= 1u << (token % 32); }
  void forbid(TokenId token) { words_[token / 32] &= ~(1u << (token % 32)); }
  void forbid_all() { std::fill(words_.begin(), words_.end(), 0u); }
  /// Keeps what `other`, of the same vocabulary, allows too.
  void intersect(const TokenMask& other) {
    for (size_t word = 0; word < words_.size(); ++word) words_[word] &= other.words_[word];
  }
  /// How many tokens are allowed.
  uint32_t count() const {
    uint32_t sum = 0;
    for (uint32_t word : words_) sum += static_cast<uint32_t>(std::popcount(word));
    return sum;
  }
  /// The bits themselves, for those who compute many at once.
  std::span<uint32_t> words() { return words_; }
  std::span<const uint32_t> words() const { return words_; }

  /// Makes the logits [V] of forbidden tokens minus infinity. Most masks allow nearly all or forbid nearly all, so
  /// whole words are looked at first.
  void apply(std::span<float> logits) const {
    for_each_forbidden([&](TokenId token) { logits[token] = -std::numeric_limits<float>::infinity(); });
  }

  /// visit(token) for each forbidden token, by id.
  template <class Visit>
  void for_each_forbidden(Visit&& visit) const {
    for (uint32_t word = 0; word < words_.size(); ++word) {
      if (words_[word] == 0xffffffffu) continue;
      const TokenId begin = 32 * word, end = std::min<uint32_t>(vocab_size_, begin + 32);
      if (words_[word] == 0) {
        for (TokenId token = begin; token < end; ++token) visit(token);
      } else {
        for (TokenId token = begin; token < end; ++token)
          if (!allows(token)) visit(token);
      }
    }
  }

 private:
  uint32_t vocab_size_;
  std::vector<uint32_t> words_;
};

}  // namespace gossamer
