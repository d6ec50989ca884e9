#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"

namespace gossamer {

/// Keys and values of one sequence, float32, per layer [capacity, G * Dh], one after the other in memory. Grows as the
/// sequence does. Every layer keeps every position, also the sliding ones: taking tokens back (truncate) is then always
/// exact.
class SequenceCache {
 public:
  /// `kv_width`: G * Dh elements a token and layer.
  SequenceCache(uint32_t num_layers, uint32_t kv_width) : kv_width_(kv_width), layers_(num_layers) {}

  /// Tokens whose keys and values are complete in all layers.
  uint32_t num_tokens() const { return num_tokens_; }

  /// Makes room for `num_tokens` tokens, keeping those that are there. Errors: out of memory (the sentence says how
  /// much).
  Status reserve(uint32_t num_tokens);

  float* keys(uint32_t layer) { return layers_[layer].keys.get(); }
  float* values(uint32_t layer) { return layers_[layer].values.get(); }
  uint32_t kv_width() const { return kv_width_; }
  uint32_t num_layers() const { return static_cast<uint32_t>(layers_.size()); }

  /// All layers of the first `num_tokens` are written (a step ends), or only those still count (tokens are taken back).
  void set_num_tokens(uint32_t num_tokens) { num_tokens_ = num_tokens; }

  uint64_t size_bytes() const { return 2ull * layers_.size() * capacity_tokens_ * kv_width_ * sizeof(float); }

 private:
  struct Layer {
    std::unique_ptr<float[]> keys, values;
  };
  uint32_t kv_width_;
  uint32_t num_tokens_ = 0;
  uint32_t capacity_tokens_ = 0;
  std::vector<Layer> layers_;
};

}  // namespace gossamer
