#pragma once
/// Short byte strings as two words: pieces and tokens are compared and hashed by the million, and most have fewer than
/// 16 bytes.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "tokenizer/uint128.h"

namespace gossamer {

/// A byte string of at most kMaxBytes bytes, padded with zeros, its length in the last byte. The empty string is {0,
/// 0}.
struct PieceKey {
  static constexpr size_t kMaxBytes = 15;
  static constexpr size_t kReadBytes = 16;  ///< what load() reads, whatever the length

  uint64_t low = 0, high = 0;
  bool operator==(const PieceKey&) const = default;

  /// The first `size` <= kMaxBytes bytes at p, where kReadBytes can be read. No branches: lengths of words do not
  /// predict.
  static PieceKey load(const char* p, size_t size) {
    PieceKey key;
    std::memcpy(&key.low, p, 8);
    std::memcpy(&key.high, p + 8, 8);
    const uint64_t ones = ~uint64_t{0};
    key.low &= size < 8 ? ~(ones << (size * 8 & 63)) : ones;
    key.high &= size > 8 ? ~(ones << ((size - 8) * 8 & 63)) : 0;
    key.high |= uint64_t{size} << 56;
    return key;
  }

  size_t size() const { return high >> 56; }
  /// load_word() of a string of at most 7 bytes.
  uint64_t word() const { return low | uint64_t{1} << size() * 8; }

  /// load() where no more than `text` can be read.
  static PieceKey copy(std::string_view text) {
    char padded[kReadBytes] = {};
    std::memcpy(padded, text.data(), text.size());
    return load(padded, text.size());
  }
};

/// The first `size` <= 7 bytes at p as one word that differs from that of every other string: a one stands behind the
/// last byte. Reads 8 bytes.
inline uint64_t load_word(const char* p, size_t size) {
  uint64_t word;
  std::memcpy(&word, p, 8);
  const uint64_t one = uint64_t{1} << size * 8;
  return (word & (one - 1)) | one;
}

/// The two halves of a 128-bit product, folded: every bit of the result depends on every bit of both.
inline uint64_t mix(uint64_t a, uint64_t b) {
  const auto product = static_cast<Uint128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

/// Hashes for tables that bound their probes: they do not withstand keys that were chosen to collide.
inline uint64_t hash_of(PieceKey key) {
  return mix(key.low ^ 0x9E3779B97F4A7C15u, key.high ^ 0xD6E8FEB86659FD93u);
}

/// Of strings longer than a PieceKey.
inline uint64_t hash_of_long(std::string_view bytes) {
  uint64_t hash = bytes.size();
  for (; bytes.size() > PieceKey::kMaxBytes; bytes.remove_prefix(PieceKey::kMaxBytes)) {
    const uint64_t block = hash_of(PieceKey::load(bytes.data(), PieceKey::kMaxBytes));
    hash = mix(hash ^ 0x9E3779B97F4A7C15u, block ^ 0xD6E8FEB86659FD93u);
  }
  return mix(hash, hash_of(PieceKey::copy(bytes)));
}

}  // namespace gossamer
