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

}  // namespace
}  // namespace gossamer
