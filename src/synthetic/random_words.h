#pragma once

#include <cstdint>
#include <string_view>

namespace gossamer::synthetic {

/// An endless row of random 64-bit words, one for each seed and name, of which each can be had without those before it:
/// so threads share a tensor, and its values depend on nothing else. This is splitmix64 (Steele, Lea and Flood, "Fast
/// splittable pseudorandom number generators", OOPSLA 2014), whose state is a counter: good enough for weights, and
/// faster than any disk.
class RandomWords {
 public:
  RandomWords(uint64_t seed, std::string_view name) : start_(mix(mix(seed + kStep) ^ fnv1a(name))) {}

  uint64_t at(uint64_t index) const { return mix(start_ + (index + 1) * kStep); }

 private:
  static constexpr uint64_t kStep = 0x9e3779b97f4a7c15u;

  static constexpr uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  static constexpr uint64_t fnv1a(std::string_view text) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    return hash;
  }

  uint64_t start_;
};

}  // namespace gossamer::synthetic
