#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "tokenizer/piece_key.h"

namespace gossamer {

/// How adding to one of the tables below ended. kColliding: the keys were chosen so that their hashes collide, and to
/// add more of them would take quadratic time; keys that a file did not choose never get there.
enum class Added { kYes, kDuplicate, kColliding };

inline constexpr int kMaxProbes = 4096;

/// 64-bit keys to 32-bit values, flat, with linear probing: built once, asked by the million.
class FlatMap {
 public:
  static constexpr uint32_t kNotFound = 0xFFFFFFFFu;
  static constexpr uint64_t kNoKey = ~uint64_t{0};  ///< the one key that cannot be added

  explicit FlatMap(size_t num_keys) : keys_(std::bit_ceil(num_keys * 2 + 1), kNoKey), values_(keys_.size()) {}

  Added add(uint64_t key, uint32_t value) {
    size_t slot = home(key);
    for (int probes = 0; keys_[slot] != kNoKey; slot = next(slot)) {
      if (keys_[slot] == key) return Added::kDuplicate;
      if (++probes == kMaxProbes) return Added::kColliding;
    }
    keys_[slot] = key;
    values_[slot] = value;
    return Added::kYes;
  }

  /// Gives a key that was added another value.
  void replace(uint64_t key, uint32_t value) {
    size_t slot = home(key);
    while (keys_[slot] != key) slot = next(slot);
    values_[slot] = value;
  }

  /// kNotFound where the key was not added.
  uint32_t find(uint64_t key) const {
    for (size_t slot = home(key);; slot = next(slot)) {
      if (keys_[slot] == key) return values_[slot];
      if (keys_[slot] == kNoKey) return kNotFound;
    }
  }

  void prefetch(uint64_t key) const {
    __builtin_prefetch(&keys_[home(key)]);
    __builtin_prefetch(&values_[home(key)]);
  }

 private:
  size_t home(uint64_t key) const { return mix(key ^ 0xD6E8FEB86659FD93u, 0x9E3779B97F4A7C15u) & (keys_.size() - 1); }
  size_t next(size_t slot) const { return (slot + 1) & (keys_.size() - 1); }

  std::vector<uint64_t>
      keys_;  // a power of two, at most half full. Apart from the values: what is not found reads no value
  std::vector<uint32_t> values_;  // [keys_.size()]
};

/// Keys of up to 41 bits to values of up to 23, both in one word: half the cache lines of a FlatMap. Merging asks for
/// strings of three to five bytes most of all, and how fast it is depends on how much of what it asks for stays in the
/// cache. (Tried: to look at four slots at once without a branch; not faster.)
class PackedMap {
 public:
  static constexpr int kKeyBits = 41;
  static constexpr uint32_t kNotFound = FlatMap::kNotFound;

  explicit PackedMap(size_t num_keys) : entries_(std::bit_ceil(num_keys + num_keys / 2 + 1)) {}

  /// `key` is not 0.
  Added add(uint64_t key, uint32_t value) {
    size_t slot = home(key);
    for (int probes = 0; entries_[slot] != 0; slot = next(slot)) {
      if (key_of(entries_[slot]) == key) return Added::kDuplicate;
      if (++probes == kMaxProbes) return Added::kColliding;
    }
    entries_[slot] = key | uint64_t{value} << kKeyBits;
    return Added::kYes;
  }

  uint32_t find(uint64_t key) const {
    for (size_t slot = home(key);; slot = next(slot)) {
      const uint64_t entry = entries_[slot];
      if (key_of(entry) == key) return static_cast<uint32_t>(entry >> kKeyBits);
      if (entry == 0) return kNotFound;
    }
  }

  void prefetch(uint64_t key) const { __builtin_prefetch(&entries_[home(key)]); }

 private:
  static uint64_t key_of(uint64_t entry) { return entry & ((uint64_t{1} << kKeyBits) - 1); }
  size_t home(uint64_t key) const { return mix(key, 0x9E3779B97F4A7C15u) & (entries_.size() - 1); }
  size_t next(size_t slot) const { return (slot + 1) & (entries_.size() - 1); }

  std::vector<uint64_t> entries_;  // a power of two, at most two thirds full; 0: empty
};

}  // namespace gossamer
