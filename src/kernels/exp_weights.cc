#include "kernels/exp_weights.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>

namespace gossamer::kernels {
namespace {

constexpr size_t kLanes = 16;
constexpr size_t kStretch = 64;
constexpr float kForbidden = -std::numeric_limits<float>::infinity();
using Lanes = std::array<float, kLanes>;

/// e^x of numbers from kLeastExponent to 0: 2^n * e^r with |r| <= ln(2) / 2, and for e^r its series to r^6, whose rest
/// is below 1.3e-7 of it. ln(2) in two parts, so that r is exact where n is large (Cody and Waite).
inline void exp_lanes(const Lanes& x, Lanes& out) {
  constexpr float kLog2E = 1.44269504f, kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  constexpr float kRounder = 12582912.f;  // 1.5 * 2^23: what is added to it is rounded to an integer, in its low bits
  for (size_t i = 0; i < kLanes; ++i) {
    const float rounded = x[i] * kLog2E + kRounder;
    const float n = rounded - kRounder;
    const float r = (x[i] - n * kLn2High) - n * kLn2Low;
    float p = 1.f / 720.f;
    p = p * r + 1.f / 120.f;
    p = p * r + 1.f / 24.f;
    p = p * r + 1.f / 6.f;
    p = p * r + 0.5f;
    p = p * r + 1.f;
    p = p * r + 1.f;
    out[i] = std::bit_cast<float>(std::bit_cast<uint32_t>(p) + (std::bit_cast<uint32_t>(rounded) << 23));
  }
}

struct Scale {
  float largest, scale, least;

  /// e^((logits - largest) * scale), or 0.
  void apply(const Lanes& logits, Lanes& out) const {
    Lanes x, within;
    for (size_t i = 0; i < kLanes; ++i) {
      x[i] = (logits[i] - largest) * scale;
      within[i] = x[i] >= least ? x[i] : least;  // NaN too: so that all numbers are ones that exp_lanes() takes
    }
    exp_lanes(within, out);
    for (size_t i = 0; i < kLanes; ++i) out[i] = x[i] >= least ? out[i] : 0.f;
  }
};

}  // namespace

double exp_weights(std::span<const float> logits, float largest, float scale, float least, std::span<float> weights) {
  const Scale of_logits{largest, scale, least};
  double sum = 0;
  for (size_t begin = 0; begin < logits.size(); begin += kStretch) {
    const size_t end = std::min(begin + kStretch, logits.size());
    Lanes sums{};
    for (size_t i = begin; i < end; i += kLanes) {
      const size_t count = std::min(kLanes, end - i);
      Lanes some, some_weights;
      if (count < kLanes) some.fill(kForbidden);
      std::copy_n(logits.data() + i, count, some.data());
      of_logits.apply(some, some_weights);
      std::copy_n(some_weights.data(), count, weights.data() + i);
      for (size_t lane = 0; lane < kLanes; ++lane) sums[lane] += some_weights[lane];
    }
    float stretch = 0;
    for (const float lane : sums) stretch += lane;
    sum += stretch;
  }
  return sum;
}

float largest_of(std::span<const float> logits) {
  Lanes lanes;
  lanes.fill(kForbidden);
  size_t i = 0;
  for (; i + kLanes <= logits.size(); i += kLanes)
    for (size_t lane = 0; lane < kLanes; ++lane)
      lanes[lane] = logits[i + lane] > lanes[lane] ? logits[i + lane] : lanes[lane];
  for (; i < logits.size(); ++i) lanes[0] = logits[i] > lanes[0] ? logits[i] : lanes[0];
  return *std::max_element(lanes.begin(), lanes.end());
}

}  // namespace gossamer::kernels
