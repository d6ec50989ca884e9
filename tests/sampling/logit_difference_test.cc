#include "sampling/logit_difference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace gossamer {
namespace {

/// Logits of a distribution, all moved by `shift`.
std::vector<float> logits_of(const std::vector<double>& probabilities, double shift = 0) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p) + shift));
  return logits;
}

TEST(LogitDifference, IsNothingBetweenTheSameLogits) {
  const std::vector<float> logits = logits_of({0.1, 0.2, 0.7}, 12.3);
  LogitDifference difference;
  for (TokenId next : {0u, 1u, 2u}) difference.add(logits, logits, next);
  EXPECT_EQ(difference.positions(), 3u);
  EXPECT_EQ(difference.logit_mean(), 0);
  EXPECT_EQ(difference.logit_max(), 0);
  EXPECT_EQ(difference.logprob_mean(), 0);
  EXPECT_EQ(difference.kl_mean(), 0);
  EXPECT_EQ(difference.top1_percent(), 100);
  EXPECT_NEAR(difference.perplexity(), std::cbrt(1 / (0.1 * 0.2 * 0.7)), 1e-5);
}

TEST(LogitDifference, IsThatOfKnownDistributions) {
  LogitDifference difference;
  difference.add(logits_of({0.5, 0.25, 0.25}), logits_of({0.25, 0.5, 0.25}), 0);
  EXPECT_NEAR(difference.logit_mean(), std::log(2.) * 2 / 3, 1e-6);
  EXPECT_NEAR(difference.logit_max(), std::log(2.), 1e-6);
  EXPECT_NEAR(difference.logprob_mean(), std::log(2.), 1e-6);
  EXPECT_NEAR(difference.kl_mean(), 0.5 * std::log(2.) - 0.25 * std::log(2.), 1e-6);
  EXPECT_EQ(difference.top1_percent(), 0);
  EXPECT_NEAR(difference.perplexity(), 4, 1e-5) << "as the other one sees it";
}

TEST(LogitDifference, OfAShiftIsInTheLogitsAlone) {
  LogitDifference difference;
  difference.add(logits_of({0.5, 0.3, 0.2}), logits_of({0.5, 0.3, 0.2}, 1), 1);
  EXPECT_NEAR(difference.logit_mean(), 1, 1e-6);
  EXPECT_NEAR(difference.logprob_mean(), 0, 1e-6);
  EXPECT_NEAR(difference.kl_mean(), 0, 1e-6);
  EXPECT_EQ(difference.top1_percent(), 100);
}

TEST(LogitDifference, IsAMeanOverPositions) {
  LogitDifference difference;
  const std::vector<float> judge = logits_of({0.5, 0.25, 0.25});
  difference.add(judge, judge, 0);
  difference.add(judge, logits_of({0.25, 0.5, 0.25}), 0);
  EXPECT_NEAR(difference.logit_mean(), std::log(2.) / 3, 1e-6);
  EXPECT_NEAR(difference.logit_max(), std::log(2.), 1e-6) << "the largest is no mean";
  EXPECT_NEAR(difference.kl_mean(), 0.125 * std::log(2.), 1e-6);
  EXPECT_EQ(difference.top1_percent(), 50);
  EXPECT_NEAR(difference.perplexity(), std::sqrt(2. * 4), 1e-5);
}

TEST(LogitDifference, LargeLogitsOverflowNothingAndTheLowerIdWinsAmongEquals) {
  LogitDifference difference;
  difference.add(std::vector<float>{1000, 1000, -1000}, std::vector<float>{1000, 1000.5, -1000}, 0);
  EXPECT_NEAR(difference.kl_mean(), std::log((1 + std::exp(0.5)) / 2) - 0.25, 1e-9);
  EXPECT_EQ(difference.top1_percent(), 0) << "0 and 1";
}

TEST(LogitDifference, OfNoPositionsIsZero) {
  const LogitDifference none;
  EXPECT_EQ(none.logit_mean() + none.logit_max() + none.logprob_mean() + none.kl_mean() + none.top1_percent(), 0);
  EXPECT_EQ(none.perplexity(), 1);
}

}  // namespace
}  // namespace gossamer
