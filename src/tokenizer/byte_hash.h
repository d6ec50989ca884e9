#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "tokenizer/uint128.h"

namespace gossamer {

/// The two halves of a 128-bit product, folded: every bit of the result depends on every bit of both.
inline uint64_t mix(uint64_t a, uint64_t b) {
  const auto product = static_cast<Uint128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

/// A hash of short byte strings. Not for hostile keys: tables that take keys from files bound their probes.
inline uint64_t byte_hash(std::string_view bytes) {
  const auto load = [](const char* p, size_t size) {
    uint64_t word = 0;
    std::memcpy(&word, p, size);
    return word;
  };
  constexpr uint64_t kSeed = 0x9E3779B97F4A7C15u, kOther = 0xD6E8FEB86659FD93u;
  const char* p = bytes.data();
  size_t size = bytes.size();
  uint64_t hash = kSeed ^ size;
  for (; size > 16; p += 16, size -= 16) hash = mix(load(p, 8) ^ kOther, load(p + 8, 8) ^ hash);
  // The rest is read as two overlapping halves.
  uint64_t low = 0, high = 0;
  if (size >= 8) {
    low = load(p, 8), high = load(p + size - 8, 8);
  } else if (size >= 4) {
    low = load(p, 4), high = load(p + size - 4, 4);
  } else if (size > 0) {
    low = load(p, 1) | load(p + size / 2, 1) << 8 | load(p + size - 1, 1) << 16;
  }
  return mix(low ^ kOther, high ^ hash);
}

}  // namespace gossamer
