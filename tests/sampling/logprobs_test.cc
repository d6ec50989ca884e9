#include "sampling/logprobs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace gossamer {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

TEST(Logprobs, AreThoseOfTheSoftmax) {
  const std::vector<float> logits{0.f, std::log(2.f), std::log(5.f)};
  const Logprobs got = logprobs_of(logits, 1, 2);
  EXPECT_NEAR(got.chosen, std::log(2. / 8), 1e-6);
  ASSERT_EQ(got.top.size(), 2u);
  EXPECT_EQ(got.top[0].token, 2u);
  EXPECT_NEAR(got.top[0].logprob, std::log(5. / 8), 1e-6);
  EXPECT_EQ(got.top[1].token, 1u);
}

TEST(Logprobs, LeaveOutWhatIsForbiddenOrNoNumber) {
  const std::vector<float> logits{kForbidden, 1000.f, NAN, 1000.f};
  const Logprobs got = logprobs_of(logits, 3, 20);
  EXPECT_NEAR(got.chosen, std::log(0.5), 1e-6) << "large logits overflow nothing";
  ASSERT_EQ(got.top.size(), 2u);
  EXPECT_EQ(got.top[0].token, 1u) << "the lower id among equals";
  EXPECT_EQ(got.top[1].token, 3u);
}

/// A row's best, as the head gives them, have the bits that the whole row has.
TEST(Logprobs, OfTheBestAreThoseOfAll) {
  std::vector<float> logits(500);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>((i * 7919) % 500) / 50;
  kernels::TopCollector collector;
  collector.reset(20);
  collector.add(0, logits);
  kernels::TopLogits top;
  top.best = kernels::best_of({collector.candidates().begin(), collector.candidates().end()}, 20);
  top.log_sum_exp = kernels::log_sum_exp(logits);
  const TokenId chosen = top.best[7].token;
  const Logprobs all = logprobs_of(logits, chosen, 5), best = logprobs_of(top, chosen, 5);
  EXPECT_EQ(all.chosen, best.chosen);
  ASSERT_EQ(all.top.size(), 5u);
  ASSERT_EQ(best.top.size(), 5u);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(all.top[i].token, best.top[i].token);
    EXPECT_EQ(all.top[i].logprob, best.top[i].logprob);
  }
}

}  // namespace
}  // namespace gossamer
