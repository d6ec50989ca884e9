/// The draw on the device: the very token that Sampler chooses from the same logits.

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "kernels/device_test.h"
#include "kernels/exp_weights.h"
#include "sampling/masked_mass.h"
#include "sampling/sampler.h"

namespace gossamer::testing {
namespace {

using namespace kernels;
using namespace kernels::cuda;

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

/// A row of logits and everything that has a say in what is drawn from it.
struct Case {
  SamplingParams params;
  std::vector<TokenId> prompt, answer;
  std::vector<float> logits;
  std::optional<TokenMask> mask;
  uint32_t position = 0;
};

class DeviceSample : public DeviceTest {
 protected:
  /// Draws from all cases at once.
  std::vector<DrawnToken> draw_all(std::span<const Case> cases) {
    const auto vocab = static_cast<uint32_t>(cases.front().logits.size()),
               num_rows = static_cast<uint32_t>(cases.size());
    std::vector<float> logits, largest;
    std::vector<DrawRow> rows;
    std::vector<uint32_t> masks;
    std::vector<LogitChangeOp> changes;
    DrawOp op{};
    for (const Case& each : cases) {
      Sampler sampler(each.params, each.prompt);
      for (const TokenId token : each.answer) sampler.accept(token);
      DrawRow& row = rows.emplace_back();
      row.row = num_rows - static_cast<uint32_t>(rows.size());  // in any order
      row.mask = ~0u;
      if (each.mask) {
        row.mask = static_cast<uint32_t>(masks.size()) / ((vocab + 31) / 32);
        masks.insert(masks.end(), each.mask->words().begin(), each.mask->words().end());
      }
      row.first_change = static_cast<uint32_t>(changes.size());
      row.num_changes = static_cast<uint32_t>(sampler.changes().size());
      for (const LogitChange& change : sampler.changes())
        changes.push_back({change.token, change.bias, change.repetition, change.penalty});
      row.rule = sampler.rule_at(each.position);
      op.any_top_k |= row.rule.top_k > 0;
      op.any_unranked |= !row.rule.is_greedy() && !row.rule.is_ranked();
    }
    for (size_t i = cases.size(); i-- > 0;) {
      logits.insert(logits.end(), cases[i].logits.begin(), cases[i].logits.end());
      float most = kForbidden;
      for (const float logit : cases[i].logits) most = std::fmax(most, logit);
      largest.push_back(most);
    }
    op.logits = upload(logits);
    op.largest = upload(largest);
    op.rows = upload(rows);
    op.num_rows = num_rows;
    op.vocab = vocab;
    op.masks = upload(masks);
    op.changes = upload(changes);
    op.own = make<float>(changes.size());
    op.slices = make<DrawSlice>(num_rows * draw_slices(vocab));
    op.cuts = make<DrawCut>(num_rows);
    op.sums = make<float>(size_t{num_rows} * kDrawSums * draw_stretches(vocab));
    op.drawn = make<DrawnToken>(num_rows);
    draw(op, stream_.get());
    std::vector<DrawnToken> drawn = download(op.drawn, num_rows);
    std::reverse(drawn.begin(), drawn.end());
    sums_ = download(op.sums, size_t{num_rows} * kDrawSums * draw_stretches(vocab));
    forget();
    return drawn;
  }

  std::vector<float> sums_;  // of the last draw_all(), the last case first

  /// Every case gives what Sampler gives.
  void expect_draws_of_sampler(std::span<const Case> cases) {
    const std::vector<DrawnToken> drawn = draw_all(cases);
    for (size_t i = 0; i < cases.size(); ++i) {
      const Case& each = cases[i];
      SCOPED_TRACE(::testing::Message() << "case " << i << " of " << each.logits.size() << " tokens, temperature "
                                        << each.params.temperature << ", top_k " << each.params.top_k << ", top_p "
                                        << each.params.top_p << ", min_p " << each.params.min_p << ", mask "
                                        << each.mask.has_value() << ", position " << each.position);
      Sampler sampler(each.params, each.prompt);
      for (const TokenId token : each.answer) sampler.accept(token);
      const Result<TokenId> want = sampler.sample(each.logits, each.position, each.mask ? &*each.mask : nullptr);
      ASSERT_EQ(drawn[i].token, want.ok() ? *want : kNoToken);
      if (want.ok()) {
        EXPECT_EQ(drawn[i].logit, each.logits[*want]) << "the model's own";
      }
      if (each.mask) {
        EXPECT_NEAR(drawn[i].masked_mass, masked_mass(each.logits, *each.mask), 1e-6);
      }
    }
  }
};

template <class T>
T one_of(std::mt19937& rng, std::initializer_list<T> values) {
  return values.begin()[rng() % values.size()];
}
float uniform(std::mt19937& rng, float low, float high) {
  return std::uniform_real_distribution<float>(low, high)(rng);
}

/// Flat, peaked, of few different values (ties, zeros of both signs), with NaN, infinities, or nothing else.
std::vector<float> some_logits(std::mt19937& rng, uint32_t vocab) {
  std::vector<float> logits(vocab);
  const uint32_t kind = rng() % 8;
  const int values = one_of(rng, {1, 2, 5});
  const float spread = one_of(rng, {0.f, 0.5f, 2.f, 5.f, 20.f});
  std::normal_distribution<float> normal(uniform(rng, -10, 10), 1.f);
  const float center = uniform(rng, -10, 10);
  for (float& logit : logits) {
    logit = center + spread * (normal(rng) - normal.mean());
    if (kind == 0) logit = static_cast<float>(static_cast<int>(rng() % values) - values / 2) / 2;
    if (kind == 0 && logit == 0 && rng() % 2) logit = -0.f;
    if (kind == 1 && rng() % 3 == 0) logit = NAN;
    if (kind == 2 && rng() % 3 == 0) logit = kForbidden;
    if (kind == 3 && rng() % 30 != 0) logit = -100;
  }
  if (kind == 4) logits[rng() % vocab] += 8;
  if (kind == 6 && rng() % 8 == 0) logits[rng() % vocab] = std::numeric_limits<float>::infinity();
  if (kind == 5 && rng() % 4 == 0) logits.assign(vocab, rng() % 2 ? NAN : kForbidden);
  return logits;
}

Case some_case(std::mt19937& rng, uint32_t vocab) {
  Case made;
  made.logits = some_logits(rng, vocab);
  made.position = rng() % 5000;
  SamplingParams& params = made.params;
  params.seed = rng();
  params.choice_index = rng() % 3;
  params.temperature = one_of(rng, {0.f, 1e-30f, 0.1f, 0.7f, 1.f, 1.f, 2.f, 100.f});
  params.top_k = one_of<uint32_t>(rng, {0, 0, 1, 2, 40, 255, 256, 257, 1000, vocab - 1, vocab, vocab + 5});
  params.top_p = one_of(rng, {1.f, 1.f, 0.1f, 0.5f, 0.9f, 0.95f, 0.999f, 1e-6f});
  params.min_p = one_of(rng, {0.f, 0.f, 0.02f, 0.3f, 1.f});
  if (rng() % 3 == 0) {
    params.repetition_penalty = one_of(rng, {1.f, 1.3f, 0.7f});
    params.presence_penalty = one_of(rng, {0.f, 1.7f, -0.3f});
    params.frequency_penalty = one_of(rng, {0.f, 0.37f});
    for (uint32_t i = rng() % 20; i > 0; --i) params.logit_bias.emplace_back(rng() % vocab, uniform(rng, -5, 9));
    for (uint32_t i = rng() % 60; i > 0; --i) made.prompt.push_back(rng() % vocab);
    for (uint32_t i = rng() % 60; i > 0; --i) made.answer.push_back(rng() % vocab);
  }
  if (rng() % 3 == 0) {
    made.mask.emplace(vocab, false);
    const uint32_t allowed = one_of<uint32_t>(rng, {0, 1, 2, 50, 99, 100});
    for (TokenId token = 0; token < vocab; ++token)
      if (rng() % 100 < allowed) made.mask->allow(token);
    if (allowed == 0 && rng() % 2) made.mask->allow(rng() % vocab);
  }
  return made;
}

TEST_F(DeviceSample, IsThatOfTheSampler) {
  std::mt19937 rng(1);
  for (const uint32_t vocab : {257u, 80u, 4097u, 1003u, 1u, 17u, 255u, 256u, 4095u, 9001u}) {
    std::vector<Case> cases;
    for (uint32_t i = 0; i < (vocab < 1100 ? 160u : 60u); ++i) cases.push_back(some_case(rng, vocab));
    expect_draws_of_sampler(cases);
    if (HasFatalFailure()) return;
  }
}

/// gpt-oss's own vocabulary, with the settings that people use.
TEST_F(DeviceSample, IsThatOfTheSamplerOverTheWholeVocabulary) {
  constexpr uint32_t kVocab = 201'088;
  std::mt19937 rng(2);
  std::vector<Case> cases(8);
  for (size_t i = 0; i < cases.size(); ++i) {
    Case& each = cases[i];
    std::normal_distribution<float> normal(0.f, i < 4 ? 3.f : 1.f);
    each.logits.resize(kVocab);
    for (float& logit : each.logits) logit = normal(rng);
    each.position = static_cast<uint32_t>(i);
    if (i % 2) {
      each.mask.emplace(kVocab, true);
      for (TokenId token = 0; token < kVocab; token += 1 + rng() % 3) each.mask->forbid(token);
    }
  }
  cases[2].params.top_p = cases[3].params.top_p = cases[6].params.top_p = 0.9f;
  cases[3].params.temperature = 0.6f;
  cases[4].params.top_k = 1000;
  cases[5].params.top_k = 40;
  cases[5].params.top_p = 0.95f;
  cases[6].params.temperature = 2;  // 0.9 of the mass is in most of the tokens
  cases[7].params.temperature = 0;
  expect_draws_of_sampler(cases);
}

/// A weight that is a bit off draws another token once in ten million times: no draw would show it.
TEST_F(DeviceSample, WeightsAndTheirSumsHaveTheBitsOfTheHost) {
  constexpr uint32_t kVocab = 9007;
  std::mt19937 rng(3);
  for (const float temperature : {0.3f, 1.f, 1.7f}) {
    Case each;
    std::normal_distribution<float> normal(0.f, 6.f);
    each.logits.resize(kVocab);
    for (float& logit : each.logits) logit = normal(rng);
    each.params.temperature = temperature;
    each.params.repetition_penalty = 1.3f;
    each.params.presence_penalty = 0.3f;
    for (TokenId token = 0; token < kVocab; token += 3) each.answer.push_back(token);
    draw_all(std::span(&each, 1));
    Sampler sampler(each.params, {});
    for (const TokenId token : each.answer) sampler.accept(token);
    for (const LogitChange& change : sampler.changes())
      each.logits[change.token] = change.apply(each.logits[change.token]);
    std::vector<float> weights(kVocab);
    exp_weights(each.logits, largest_of(each.logits), 1.f / temperature, kLeastExponent, weights);
    for (uint32_t stretch = 0; stretch < draw_stretches(kVocab); ++stretch) {
      const auto all = std::span<const float>(weights).subspan(stretch * kDrawStretch);
      const auto some = all.first(std::min<size_t>(all.size(), kDrawStretch));
      float lanes[kDrawLanes] = {}, sum = 0;
      for (size_t i = 0; i < some.size(); ++i)
        lanes[i < some.size() / kDrawLanes * kDrawLanes ? i % kDrawLanes : 0] += some[i];
      for (const float lane : lanes) sum += lane;
      ASSERT_EQ(sums_[stretch], sum) << stretch;
    }
  }
}

/// One row, drawn from at many positions: every token as often as it is likely.
TEST_F(DeviceSample, DrawsByWeight) {
  constexpr uint32_t kDraws = 1200;
  std::vector<Case> cases(kDraws);
  for (uint32_t i = 0; i < kDraws; ++i) {
    cases[i].logits = {std::log(1.f), std::log(2.f), std::log(5.f), kForbidden, std::log(8.f)};
    cases[i].params.seed = 9;
    cases[i].position = i;
  }
  uint32_t counts[5] = {};
  for (const DrawnToken& drawn : draw_all(cases)) {
    ASSERT_LT(drawn.token, 5u);
    ++counts[drawn.token];
  }
  EXPECT_EQ(counts[3], 0u);
  const float wanted[5] = {1.f / 16, 2.f / 16, 5.f / 16, 0, 8.f / 16};
  for (size_t token = 0; token < 5; ++token)  // four standard deviations and a half
    EXPECT_NEAR(static_cast<float>(counts[token]) / kDraws, wanted[token], 4.5f * std::sqrt(0.25f / kDraws)) << token;
}

TEST_F(DeviceSample, TokensThatWereDrawnTakeTheirPlaces) {
  constexpr uint32_t kVocab = 1000, kTokens = 300;  // more than a block
  std::vector<DrawnToken> drawn = {{17, 0, 0}, {kNoToken, 0, 0}, {kVocab - 1, 0, 0}};
  std::vector<uint32_t> tokens(kTokens), want(kTokens);
  for (uint32_t i = 0; i < kTokens; ++i) {
    const uint32_t row = i % 4;
    tokens[i] = row < 3 ? kIsDrawn | row : i;
    want[i] = row == 3 ? i : row == 1 ? 0 : drawn[row].token;
  }
  uint32_t* there = upload(tokens);
  take_drawn({there, kTokens - 1, kVocab, upload(drawn)}, stream_.get());
  want.back() = tokens.back();  // not of the step
  EXPECT_EQ(download(there, kTokens), want);
}

}  // namespace
}  // namespace gossamer::testing
