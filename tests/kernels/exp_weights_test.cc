#include "kernels/exp_weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace gossamer::testing {
namespace {

using namespace kernels;

TEST(ExpWeights, AreWithinTheirBoundOfExp) {
  double worst = 0;
  std::vector<float> logits, weights;
  for (float x = 0; x >= kLeastExponent; x -= 1.f / 4096) logits.push_back(x);
  weights.resize(logits.size());
  const double sum = exp_weights(logits, 0.f, 1.f, kLeastExponent, weights);
  double want_sum = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    const double want = std::exp(static_cast<double>(logits[i]));
    worst = std::max(worst, std::fabs(weights[i] / want - 1));
    want_sum += want;
  }
  EXPECT_LT(worst, 3e-7);
  EXPECT_NEAR(sum / want_sum, 1, 4e-7);
  EXPECT_EQ(weights[0], 1.f);
}

TEST(ExpWeights, WhatIsForbiddenOrTooUnlikelyIsNothing) {
  constexpr float kForbidden = -std::numeric_limits<float>::infinity();
  const std::vector<float> logits{5.f, NAN, kForbidden, 5.f - 41.f, 5.f - 39.f, -3e38f};
  std::vector<float> weights(logits.size(), 7.f);
  const double sum = exp_weights(logits, largest_of(logits), 1.f, kLeastExponent, weights);
  EXPECT_EQ(weights[0], 1.f);
  EXPECT_GT(weights[4], 0.f);
  for (const size_t nothing : {1u, 2u, 3u, 5u}) EXPECT_EQ(weights[nothing], 0.f) << nothing;
  EXPECT_NEAR(sum, 1, 1e-7);
  EXPECT_EQ(largest_of(std::vector<float>{NAN, kForbidden}), kForbidden);
}

/// Ends that are no whole lanes, and a scale.
TEST(ExpWeights, TakeAnyNumberOfLogits) {
  for (size_t count = 0; count < 200; ++count) {
    std::vector<float> logits(count), weights(count);
    double want = 0;
    for (size_t i = 0; i < count; ++i) {
      logits[i] = static_cast<float>(i % 37) * 0.25f;
      want += std::exp((logits[i] - 9.0) * 0.5);
    }
    EXPECT_NEAR(exp_weights(logits, 9.f, 0.5f, kLeastExponent, weights), want, 4e-7 * want + 1e-30) << count;
    for (size_t i = 0; i < count; ++i) EXPECT_NEAR(weights[i], std::exp((logits[i] - 9.0) * 0.5), 3e-7);
  }
}

}  // namespace
}  // namespace gossamer::testing
