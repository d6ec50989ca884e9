#pragma once

#include <cstdint>

namespace gossamer::kernels {

/// How a token is drawn from a row of logits: what Sampler does with them, in numbers that a device takes as they are.
/// The order of the stages stands at SamplingParams.
struct DrawRule {
  float scale = 0;     ///< 1 / temperature, finite; 0: the largest logit, the lowest token among equals
  float top_p = 1;     ///< (0, 1]
  float min_p = 0;     ///< [0, 1]
  uint32_t top_k = 0;  ///< 0: no limit
  double uniform = 0;  ///< [0, 1): which of them it is

  constexpr bool is_greedy() const { return scale == 0; }
  /// The weights are those of so few that they stand in the order of their ranks; else in the order of tokens. Which of
  /// the two it is decides what a uniform number draws.
  constexpr bool is_ranked() const { return !is_greedy() && top_k > 0 && top_k <= kMostRanked; }

  /// More than this are not found faster than all logits are written.
  static constexpr uint32_t kMostRanked = 256;
};

/// Weights are added up in stretches, in float and in lanes: weight i of a stretch is added to lane i % kDrawLanes (of
/// what is left over at the end, to the first), the lanes are added up in order; the stretches in order, in double.
inline constexpr uint32_t kDrawStretch = 256;
inline constexpr uint32_t kDrawLanes = 16;

/// top_p looks for its few among the tokens at least so likely as the likeliest times one of these, the first of them
/// that is enough; where none is, among all.
inline constexpr uint32_t kDrawLevels = 4;
constexpr float draw_level(uint32_t level) {
  return 1.f / static_cast<float>(8u << 3 * level);  // 1/8, 1/64, 1/512, 1/4096
}

}  // namespace gossamer::kernels
