#include "sampling/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "sampling/philox.h"

namespace gossamer {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

/// Draws at many positions with the same logits.
std::map<TokenId, int> draw(const SamplingParams& params, const std::vector<float>& logits, int times) {
  Sampler sampler(params, {});
  std::map<TokenId, int> counts;
  for (int position = 0; position < times; ++position) ++counts[sampler.sample(logits, position).value()];
  return counts;
}

std::set<TokenId> support(const SamplingParams& params, const std::vector<float>& logits) {
  std::set<TokenId> tokens;
  for (const auto& [token, count] : draw(params, logits, 3000)) tokens.insert(token);
  return tokens;
}

TEST(Sampler, GreedyTakesTheLargestAndTheLowestIdAmongEquals) {
  SamplingParams greedy;
  greedy.temperature = 0;
  EXPECT_EQ(Sampler(greedy, {}).sample(std::vector<float>{1, 5, 3, 5}, 0).value(), 1u);
  EXPECT_EQ(Sampler(greedy, {}).sample(std::vector<float>{kForbidden, -4, NAN, -3}, 0).value(), 3u);
}

TEST(Sampler, FrequenciesFollowTheSoftmax) {
  SamplingParams params;
  params.temperature = 0.5f;
  params.seed = 11;
  const std::vector<float> logits{0.f, 0.5f, -0.5f, kForbidden, 1.f};
  double total = 0;
  for (float l : logits) total += std::exp(l / 0.5);
  constexpr int kDraws = 40000;
  const auto counts = draw(params, logits, kDraws);
  double chi_square = 0;
  for (TokenId t = 0; t < logits.size(); ++t) {
    const double expected = kDraws * std::exp(logits[t] / 0.5) / total;
    const int got = counts.contains(t) ? counts.at(t) : 0;
    if (expected == 0) {
      EXPECT_EQ(got, 0) << t;
    } else {
      chi_square += (got - expected) * (got - expected) / expected;
    }
  }
  EXPECT_LT(chi_square, 16.3);  // 3 degrees of freedom, p = 0.001
}

TEST(Sampler, TopKTopPAndMinPCutTheTail) {
  // Probabilities 0.4, 0.3, 0.2, 0.1 of tokens 2, 0, 3, 1.
  const std::vector<float> logits{std::log(.3f), std::log(.1f), std::log(.4f), std::log(.2f)};
  SamplingParams params;
  EXPECT_EQ(support(params, logits), (std::set<TokenId>{0, 1, 2, 3}));
  params.top_k = 2;
  EXPECT_EQ(support(params, logits), (std::set<TokenId>{0, 2}));
  params = {};
  params.top_p = 0.65f;  // 0.4 does not reach it, 0.7 does
  EXPECT_EQ(support(params, logits), (std::set<TokenId>{0, 2}));
  params = {};
  params.top_p = 1e-6f;
  EXPECT_EQ(support(params, logits), (std::set<TokenId>{2}));
  params = {};
  params.min_p = 0.4f;  // 0.4 * 0.4 = 0.16 cuts 0.1 alone
  EXPECT_EQ(support(params, logits), (std::set<TokenId>{0, 2, 3}));
  params.min_p = 1.f;
  EXPECT_EQ(support(params, logits), (std::set<TokenId>{2}));
}

/// More candidates than are looked at first, in no order: the same ones as by sorting all of them.
TEST(Sampler, TopPKeepsTheLikeliestOfManyCandidates) {
  constexpr size_t kTokens = 3000;
  std::vector<float> logits(kTokens);
  std::mt19937 random(3);
  for (float& logit : logits) logit = std::uniform_real_distribution<float>(-1, 1)(random);
  std::vector<TokenId> by_likelihood(kTokens);
  std::iota(by_likelihood.begin(), by_likelihood.end(), 0u);
  std::sort(by_likelihood.begin(), by_likelihood.end(), [&](TokenId a, TokenId b) { return logits[a] > logits[b]; });
  double total = 0;
  for (const float logit : logits) total += std::exp(logit);
  for (const size_t kept : {1u, 63u, 64u, 65u, 257u}) {
    double sum = 0;
    for (size_t i = 0; i < kept; ++i) sum += std::exp(logits[by_likelihood[i]]);
    SamplingParams params;
    params.top_p = static_cast<float>((sum - 0.5 * std::exp(logits[by_likelihood[kept - 1]])) / total);
    std::set<TokenId> drawn;  // some thirty draws a candidate: one is left out with probability e^-12 or less
    for (const auto& [token, count] : draw(params, logits, static_cast<int>(30 * kept))) drawn.insert(token);
    EXPECT_EQ(drawn, (std::set<TokenId>(by_likelihood.begin(), by_likelihood.begin() + static_cast<ptrdiff_t>(kept))));
  }
}

/// Every way of cutting, over a vocabulary of stretches and a rest, against the definition: sorted, in double. A draw
/// at the border between two tokens may fall on either side.
TEST(Sampler, DrawsAsTheDefinitionSays) {
  constexpr size_t kTokens = 5003;
  std::mt19937 random(4);
  std::vector<float> logits(kTokens);
  for (float& logit : logits) logit = std::normal_distribution<float>(0, 3)(random);
  for (size_t i = 0; i < kTokens; i += 7) logits[i] = i % 2 ? kForbidden : NAN;
  for (size_t i = 3; i < kTokens; i += 50) logits[i] = 4.f;  // equals
  for (const float temperature : {0.3f, 1.f, 2.f})
    for (const uint32_t top_k : {0u, 300u, 100000u})
      for (const float top_p : {1.f, 0.999f, 0.7f, 0.1f})
        for (const float min_p : {0.f, 0.05f}) {
          SamplingParams params;
          params.temperature = temperature;
          params.top_k = top_k;
          params.top_p = top_p;
          params.min_p = min_p;
          std::vector<TokenId> order;
          for (TokenId token = 0; token < kTokens; ++token)
            if (logits[token] > kForbidden) order.push_back(token);
          std::stable_sort(order.begin(), order.end(), [&](TokenId a, TokenId b) { return logits[a] > logits[b]; });
          if (top_k > 0 && top_k < order.size()) order.resize(top_k);
          const auto weight = [&](TokenId token) {
            return std::exp((static_cast<double>(logits[token]) - logits[order[0]]) / temperature);
          };
          double total = 0, sum = 0;
          for (const TokenId token : order) total += weight(token);
          size_t kept = 0;
          while (kept < order.size() && (kept == 0 || sum < top_p * total)) sum += weight(order[kept++]);
          order.resize(kept);
          std::erase_if(order, [&](TokenId token) { return weight(token) < min_p; });
          std::sort(order.begin(), order.end());
          total = 0;
          for (const TokenId token : order) total += weight(token);
          Sampler sampler(params, {});
          for (uint32_t position = 0; position < 50; ++position) {
            const TokenId drawn = sampler.sample(logits, position).value();
            double end = 0;
            for (const TokenId token : order)
              if (token <= drawn) end += weight(token) / total;
            const double at = uniform_at(params.seed, params.choice_index, position);
            ASSERT_TRUE(std::binary_search(order.begin(), order.end(), drawn)) << drawn << " was cut";
            ASSERT_LE(at, end + 1e-4);
            ASSERT_GE(at, end - weight(drawn) / total - 1e-4);
          }
        }
}

TEST(Sampler, ATinyTemperatureIsNearlyGreedy) {
  SamplingParams params;
  params.temperature = 1e-40f;
  EXPECT_EQ(support(params, {1.f, 1.0000001f, NAN, 1.0000001f}), (std::set<TokenId>{1, 3}));
}

TEST(Sampler, TopKAmongEqualsKeepsTheLowestIds) {
  SamplingParams params;
  params.top_k = 2;
  EXPECT_EQ(support(params, std::vector<float>(50, 1.f)), (std::set<TokenId>{0, 1}));
}

TEST(Sampler, BiasAppliesBeforeAnyCandidateIsDropped) {
  std::vector<float> logits(1000);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = -static_cast<float>(i);
  SamplingParams params;
  params.top_k = 1;
  params.logit_bias = {{700, 701.f}, {123456, 5.f}};  // the second is no token of this model: ignored
  EXPECT_EQ(support(params, logits), (std::set<TokenId>{700}));
}

TEST(Sampler, PenaltiesSeePromptAndAnswer) {
  SamplingParams greedy;
  greedy.temperature = 0;
  const std::vector<float> logits{2.f, 1.9f, -1.f};
  const std::vector<TokenId> prompt{0, 0, 2};
  greedy.repetition_penalty = 1.1f;  // 2 / 1.1 < 1.9, although the token is in the prompt only
  EXPECT_EQ(Sampler(greedy, prompt).sample(logits, 0).value(), 1u);
  greedy.repetition_penalty = 1.f;
  greedy.presence_penalty = 0.2f;  // counts the answer alone
  Sampler presence(greedy, prompt);
  EXPECT_EQ(presence.sample(logits, 0).value(), 0u);
  presence.accept(0);
  EXPECT_EQ(presence.sample(logits, 1).value(), 1u);
  greedy.presence_penalty = 0;
  greedy.frequency_penalty = 0.06f;  // once is not enough, twice is
  Sampler frequency(greedy, prompt);
  frequency.accept(0);
  EXPECT_EQ(frequency.sample(logits, 1).value(), 0u);
  frequency.accept(0);
  EXPECT_EQ(frequency.sample(logits, 2).value(), 1u);
}

TEST(Sampler, SeedChoiceAndPositionAloneFixTheDraw) {
  std::vector<float> logits(64, 0.f);
  SamplingParams params;
  params.seed = 5;
  Sampler a(params, {}), b(params, {});
  b.sample(logits, 17).value();  // what was drawn before does not matter
  EXPECT_EQ(a.sample(logits, 3).value(), b.sample(logits, 3).value());
  params.choice_index = 1;
  int same = 0;
  Sampler c(params, {});
  for (uint32_t position = 0; position < 64; ++position)
    same += a.sample(logits, position).value() == c.sample(logits, position).value();
  EXPECT_LT(same, 8);
}

/// The best logits, as the head gives them, decide what all logits decide.
TEST(Sampler, NeedsNoMoreThanItSays) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, 3);
  int bounded = 0;
  for (int round = 0; round < 500; ++round) {
    SamplingParams params;
    params.temperature = random() % 3 ? 0.2f * static_cast<float>(random() % 8) : 0.01f;
    params.top_k = random() % 50;
    params.top_p = random() % 2 ? 1.f : 0.7f;
    params.min_p = random() % 2 ? 0.f : 0.05f;
    params.seed = random();
    if (random() % 2) params.repetition_penalty = 1.2f;
    if (random() % 2) params.presence_penalty = 0.5f;
    if (random() % 2) params.frequency_penalty = 0.3f;
    if (random() % 2) params.logit_bias = {{random() % 300, 4.f}, {random() % 300, -3.f}};
    std::vector<TokenId> prompt(20);
    for (TokenId& token : prompt) token = random() % 300;
    Sampler of_all(params, prompt), of_best(params, prompt);
    const uint32_t needed = of_best.needed_logits();
    if (needed == 0) continue;
    ++bounded;
    for (uint32_t position = 20; position < 30; ++position) {
      std::vector<float> logits(300);
      for (float& logit : logits) logit = std::round(normal(random));  // with equals
      kernels::TopLogits top;
      std::vector<kernels::Candidate> changed;
      for (TokenId token = 0; token < 300; ++token) changed.push_back({token, logits[token]});
      for (const kernels::LogitChange& change : of_best.changes())
        changed[change.token].logit = change.apply(changed[change.token].logit);
      top.best = kernels::best_of(changed, needed + random() % 3);
      const TokenId want = of_all.sample(logits, position).value();
      ASSERT_EQ(of_best.sample(top, position).value(), want) << "round " << round;
      of_all.accept(want);
      of_best.accept(want);
    }
  }
  EXPECT_GT(bounded, 200);
}

TEST(Sampler, NothingAllowedIsAnErrorNotAToken) {
  SamplingParams few;
  few.top_k = 5;
  EXPECT_FALSE(Sampler(few, {}).sample(kernels::TopLogits(), 3).ok());
  const auto none = Sampler({}, {}).sample(std::vector<float>{kForbidden, NAN}, 3);
  ASSERT_FALSE(none.ok());
  EXPECT_NE(none.error().message.find("position 3"), std::string::npos);
}

TEST(SamplingParams, RangesAreChecked) {
  const auto refused = [](auto set) {
    SamplingParams params;
    set(params);
    return !params.validate().ok();
  };
  EXPECT_TRUE(SamplingParams{}.validate().ok());
  EXPECT_TRUE(refused([](auto& p) { p.temperature = -0.1f; }));
  EXPECT_TRUE(refused([](auto& p) { p.temperature = NAN; }));
  EXPECT_TRUE(refused([](auto& p) { p.top_p = 0; }));
  EXPECT_TRUE(refused([](auto& p) { p.top_p = 1.5f; }));
  EXPECT_TRUE(refused([](auto& p) { p.min_p = 2; }));
  EXPECT_TRUE(refused([](auto& p) { p.repetition_penalty = 0; }));
  EXPECT_TRUE(refused([](auto& p) { p.presence_penalty = 3; }));
  EXPECT_TRUE(refused([](auto& p) { p.frequency_penalty = -3; }));
  EXPECT_TRUE(refused([](auto& p) { p.logit_bias = {{1, INFINITY}}; }));
}

}  // namespace
}  // namespace gossamer
