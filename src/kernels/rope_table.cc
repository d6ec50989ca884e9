#include "kernels/rope_table.h"

#include <algorithm>
#include <cmath>

namespace gossamer::kernels {
namespace {

constexpr uint32_t kGrowthPositions = 1024;

/// The (fractional) index of the dimension that turns `rotations` times over the original context.
double correction_dimension(double rotations, const RopeParams& params) {
  constexpr double kTwoPi = 6.283185307179586;
  return params.head_dim * std::log(params.original_context / (rotations * kTwoPi)) /
         (2 * std::log(static_cast<double>(params.theta)));
}

}  // namespace

std::vector<float> yarn_inverse_frequencies(const RopeParams& params) {
  const uint32_t half = params.head_dim / 2;
  const double low = std::max(correction_dimension(params.beta_fast, params), 0.0);
  double high = std::min(correction_dimension(params.beta_slow, params), params.head_dim - 1.0);
  if (low == high) high += 0.001;  // transformers' guard against a division by zero
  std::vector<float> result(half);
  for (uint32_t i = 0; i < half; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(params.head_dim);
    const float wavelength =
        static_cast<float>(std::pow(static_cast<double>(params.theta), static_cast<double>(exponent)));
    const float extrapolated = 1.0f / wavelength;
    const float interpolated = 1.0f / (params.factor * wavelength);
    const float ramp =
        std::clamp((static_cast<float>(i) - static_cast<float>(low)) / static_cast<float>(high - low), 0.0f, 1.0f);
    const float extrapolation = 1.0f - ramp;
    result[i] = interpolated * (1.0f - extrapolation) + extrapolated * extrapolation;
  }
  return result;
}

float yarn_attention_factor(float factor) {
  return factor <= 1.f ? 1.f : static_cast<float>(0.1 * std::log(static_cast<double>(factor)) + 1.0);
}

RopeTable::RopeTable(const RopeParams& params)
    : inverse_frequencies_(yarn_inverse_frequencies(params)), attention_factor_(yarn_attention_factor(params.factor)) {}

void RopeTable::reserve(uint32_t num_positions) {
  if (num_positions <= num_positions_) return;
  const size_t half = inverse_frequencies_.size();
  num_positions = (num_positions + kGrowthPositions - 1) / kGrowthPositions * kGrowthPositions;
  cos_.resize(num_positions * half);
  sin_.resize(num_positions * half);
  for (uint32_t position = num_positions_; position < num_positions; ++position) {
    for (size_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(position) * inverse_frequencies_[i];
      cos_[position * half + i] = static_cast<float>(std::cos(static_cast<double>(angle))) * attention_factor_;
      sin_[position * half + i] = static_cast<float>(std::sin(static_cast<double>(angle))) * attention_factor_;
    }
  }
  num_positions_ = num_positions;
}

}  // namespace gossamer::kernels
