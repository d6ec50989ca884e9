#pragma once

#include <cstdint>
#include <vector>

namespace gossamer::kernels {

struct RopeParams {
  uint32_t head_dim = 64;
  float theta = 150000.f;
  float factor = 32.f;  // YaRN; 1 means plain RoPE
  float beta_fast = 32.f;
  float beta_slow = 1.f;
  uint32_t original_context = 4096;
};

/// YaRN's inverse frequencies [Dh/2], the way transformers computes them with `truncate: false`: the bounds of the ramp
/// are not rounded. All in float32, in that order of operations: at position 131071 one ulp of a frequency is 0.008
/// rad.
std::vector<float> yarn_inverse_frequencies(const RopeParams& params);

/// 0.1 ln(factor) + 1: multiplies cos and sin at every length (so scores get its square).
float yarn_attention_factor(float factor);

/// cos and sin of all positions below some bound, grown when asked: the full 131,072 take 33 MB and 0.2 s, a chat needs
/// a fraction.
class RopeTable {
 public:
  explicit RopeTable(const RopeParams& params);
  /// Makes positions 0 .. num_positions - 1 available. Pointers from before are then invalid.
  void reserve(uint32_t num_positions);
  const float* cos() const { return cos_.data(); }  // [positions, Dh/2]
  const float* sin() const { return sin_.data(); }

 private:
  std::vector<float> inverse_frequencies_;
  float attention_factor_;
  uint32_t num_positions_ = 0;
  std::vector<float> cos_, sin_;
};

}  // namespace gossamer::kernels
