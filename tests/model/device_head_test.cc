/// Rows of logits that stay on the device: what is drawn of them, in pieces, beside rows whose logits come to the host.

#include "model/device_head.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "sampling/sampler.h"

namespace gossamer::testing {
namespace {

using kernels::cuda::DeviceStream;
using kernels::cuda::DrawnToken;

constexpr uint32_t kVocab = 3001;

class DeviceHeadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto devices = kernels::cuda::list_devices(); !devices.ok()) GTEST_SKIP() << devices.error().message;
    stream_ = DeviceStream::create().value();
    std::mt19937 rng(5);
    std::normal_distribution<float> normal(0.f, 2.f);
    logits_.resize(kTokens * kVocab);
    for (float& logit : logits_) logit = normal(rng);
  }

  std::span<const float> logits_of(uint32_t token) const {
    return std::span(logits_).subspan(size_t{token} * kVocab, kVocab);
  }

  Result<std::span<const float>> unembed(DeviceHead& head, const Batch& batch) const {
    GOS_TRY_STATUS(head.begin_step(stream_));
    return project(head, batch);
  }
  Result<std::span<const float>> project(DeviceHead& head, const Batch& batch) const {
    return head.unembed(batch, stream_, [&](const uint32_t* tokens, uint32_t num_rows, uint16_t*, float* logits) {
      std::vector<uint32_t> numbers(num_rows);
      stream_.copy_to_host(numbers.data(), tokens, num_rows * sizeof(uint32_t));
      EXPECT_TRUE(stream_.synchronize().ok());
      for (uint32_t row = 0; row < num_rows; ++row)
        stream_.copy_to_device(logits + size_t{row} * kVocab, logits_of(numbers[row]).data(), kVocab * sizeof(float));
      EXPECT_TRUE(stream_.synchronize().ok());
    });
  }

  /// `tokens` rows of one token each, whose logits stay.
  static Batch staying(uint32_t tokens) {
    Batch batch;
    for (uint32_t i = 0; i < tokens; ++i) {
      BatchRow& row = batch.rows.emplace_back();
      row.length = 1;
      row.logit_offsets = {0};
      row.masks = {nullptr};
      row.tops.resize(1);
      row.tops[0].stays = true;
    }
    return batch;
  }

  static constexpr uint32_t kTokens = 8;
  DeviceStream stream_;
  std::vector<float> logits_;
};

/// Changes of every token for every row: more than are sent at once.
TEST_F(DeviceHeadTest, DrawsWhatTheSamplerDrawsInHoweverManyPieces) {
  Batch batch = staying(kTokens);
  batch.rows[2].tops[0] = {};  // all its logits come to the host
  TokenMask head_mask(kVocab, true), late_mask(kVocab, false);
  for (TokenId token = 0; token < kVocab; token += 5) head_mask.forbid(token);
  for (TokenId token = 0; token < kVocab; token += 3) late_mask.allow(token);
  for (BatchRow& row : batch.rows) row.masks[0] = &head_mask;
  kernels::TopLogits few, many, of_passing;
  batch.rows[4].tops[0].k = 3;
  batch.rows[4].tops[0].wants_log_sum_exp = true;
  batch.rows[4].tops[0].top = &few;
  batch.rows[5].tops[0].k = kernels::cuda::kMostCandidates + 100;
  batch.rows[5].tops[0].top = &many;
  batch.rows[6].tops[0] = {.k = 7, .top = &of_passing};

  std::vector<float> masked(logits_);
  for (uint32_t token = 0; token < kTokens; ++token)
    head_mask.apply(std::span(masked).subspan(size_t{token} * kVocab, kVocab));
  const auto masked_of = [&](uint32_t token) {
    return std::span<const float>(masked).subspan(size_t{token} * kVocab, kVocab);
  };
  DeviceHead head(kVocab, 64);
  ASSERT_TRUE(head.prepare(2, stream_).ok());  // it grows
  for (uint32_t round = 0; round < 2; ++round) {
    const auto passed = unembed(head, batch);
    ASSERT_TRUE(passed.ok()) << passed.error().message;
    ASSERT_EQ(passed->size(), kVocab);
    EXPECT_TRUE(std::equal(passed->begin(), passed->end(), masked_of(2).begin()));

    const std::vector<uint32_t> token_of_row = {0, 1, 3, 4, 5, 7};
    std::vector<Sampler> samplers;
    std::vector<Drawn> drawn(token_of_row.size());
    std::vector<DrawWish> wishes;
    for (uint32_t row = 0; row < token_of_row.size(); ++row) {
      SamplingParams params;
      params.top_k = row == 1 ? 20 : 0;
      params.top_p = row == 2 ? 0.9f : 1.f;
      for (TokenId token = row; token < kVocab; ++token)
        params.logit_bias.emplace_back(token, static_cast<float>((token * 7 + row) % 40) / 10);
      samplers.emplace_back(params, std::span<const TokenId>());
    }
    for (uint32_t row = 0; row < token_of_row.size(); ++row)
      wishes.push_back(
          {row, samplers[row].rule_at(round), samplers[row].changes(), row % 2 ? &late_mask : nullptr, &drawn[row]});
    std::swap(wishes[0], wishes[3]);
    ASSERT_TRUE(head.draw(std::span(wishes).first(2), stream_).ok());
    ASSERT_TRUE(head.draw(std::span(wishes).subspan(2), stream_).ok());
    EXPECT_FALSE(head.draw(std::span(wishes).first(1), stream_).ok()) << "drawn twice";
    ASSERT_TRUE(head.finish_draws(head.last_step(), stream_).ok());
    for (uint32_t row = 0; row < token_of_row.size(); ++row) {
      const std::span<const float> of_row = masked_of(token_of_row[row]);
      const TokenId want = samplers[row].sample(of_row, round, row % 2 ? &late_mask : nullptr).value();
      EXPECT_EQ(drawn[row].token, want) << row;
      EXPECT_EQ(drawn[row].logit, of_row[want]) << row;
    }
    EXPECT_EQ(few.best.size(), 3u);
    EXPECT_NEAR(few.log_sum_exp, kernels::log_sum_exp(masked_of(4)), 1e-5);
    EXPECT_EQ(many.best.size(), kernels::cuda::kMostCandidates + 100u);
    EXPECT_EQ(of_passing.best.size(), 7u);
    for (const auto& [top, token] : {std::pair{&few, 4u}, {&many, 5u}, {&of_passing, 6u}})
      for (const kernels::Candidate& candidate : top->best)
        EXPECT_EQ(candidate.logit, masked_of(token)[candidate.token]);
    many = few = of_passing = {};
  }
}

TEST_F(DeviceHeadTest, SaysWhatItCannotDraw) {
  DeviceHead head(kVocab, 64);
  Drawn drawn;
  DrawWish wish;
  wish.drawn = &drawn;
  const auto draw = [&] { return head.draw(std::span(&wish, 1), stream_); };
  EXPECT_NE(draw().error().message.find("row 0, but 0 rows"), std::string::npos);
  const Batch batch = staying(2);
  ASSERT_TRUE(unembed(head, batch).ok());
  wish.row = 2;
  EXPECT_NE(draw().error().message.find("row 2, but 2 rows"), std::string::npos);
  wish.row = 1;
  const TokenMask other(kVocab + 1, true);
  wish.mask = &other;
  EXPECT_NE(draw().error().message.find("not for 3001 tokens"), std::string::npos);
  wish.mask = nullptr;
  ASSERT_TRUE(draw().ok());  // nobody waits for it: the next step is as if it had not been

  ASSERT_TRUE(unembed(head, batch).ok());
  drawn = {7, 0, 0};
  ASSERT_TRUE(head.finish_draws(head.last_step(), stream_).ok());
  EXPECT_EQ(drawn.token, 7u);
  ASSERT_TRUE(unembed(head, batch).ok());
  const TokenMask nothing(kVocab, false);
  wish.mask = &nothing;
  ASSERT_TRUE(draw().ok());
  ASSERT_TRUE(head.finish_draws(head.last_step(), stream_).ok());
  EXPECT_EQ(drawn.token, Drawn::kNoToken);
}

/// The second step's head is under way before anybody has asked for the first one's tokens.
TEST_F(DeviceHeadTest, KeepsTwoStepsApart) {
  DeviceHead head(kVocab, 64);
  ASSERT_TRUE(head.prepare(3, stream_).ok());
  const Batch first = staying(3), second = staying(8);  // more: its memory grows with the first one's tokens in it
  std::vector<Drawn> drawn(11);
  kernels::TopLogits top;
  Batch with_top = second;
  with_top.rows[7].tops[0].k = 5;
  with_top.rows[7].tops[0].top = &top;
  const auto greedy = [&](uint32_t row, Drawn* out) { return DrawWish{.row = row, .rule = {}, .drawn = out}; };
  const auto best = [&](uint32_t token) {
    const std::span<const float> row = logits_of(token);
    return static_cast<TokenId>(std::max_element(row.begin(), row.end()) - row.begin());
  };
  for (int round = 0; round < 3; ++round) {
    drawn.assign(11, {7, 0, 0});
    ASSERT_TRUE(unembed(head, first).ok());
    const uint64_t one = head.last_step();
    const std::vector<DrawWish> of_first = {greedy(0, &drawn[0]), greedy(2, &drawn[2])};
    ASSERT_TRUE(head.draw(of_first, stream_).ok());
    EXPECT_EQ(drawn[0].token, 7u) << "nobody has waited";

    ASSERT_TRUE(head.begin_step(stream_).ok());
    EXPECT_EQ(head.drawn_before().size(), 3u);
    DrawnToken there{};
    stream_.copy_to_host(&there, head.drawn_before().data() + 2, sizeof(there));
    ASSERT_TRUE(stream_.synchronize().ok());
    EXPECT_EQ(there.token, best(2));
    ASSERT_TRUE(project(head, with_top).ok());
    const uint64_t two = head.last_step();
    ASSERT_TRUE(head.finish_draws(one, stream_).ok());
    EXPECT_EQ(drawn[0].token, best(0));
    EXPECT_EQ(drawn[1].token, 7u) << "nobody asked for it";
    EXPECT_EQ(drawn[2].token, best(2));
    EXPECT_TRUE(top.best.empty());

    std::vector<DrawWish> of_second;
    for (uint32_t row = 0; row < 8; ++row) of_second.push_back(greedy(row, &drawn[3 + row]));
    ASSERT_TRUE(head.draw(of_second, stream_).ok());
    ASSERT_TRUE(head.finish_draws(two, stream_).ok());
    for (uint32_t row = 0; row < 8; ++row) EXPECT_EQ(drawn[3 + row].token, best(row));
    EXPECT_EQ(top.best.size(), 5u);
    top.best.clear();
    EXPECT_FALSE(head.finish_draws(two - 2, stream_).ok());
  }
}

TEST_F(DeviceHeadTest, ForgetsAStepThatNobodyFinished) {
  DeviceHead head(kVocab, 64);
  Drawn drawn{7, 0, 0};
  const DrawWish wish{.rule = {}, .drawn = &drawn};
  for (int step = 0; step < 3; ++step) {
    ASSERT_TRUE(unembed(head, staying(1)).ok());
    ASSERT_TRUE(head.draw({&wish, 1}, stream_).ok());
  }
  const Status late = head.finish_draws(1, stream_);
  ASSERT_FALSE(late.ok());
  EXPECT_NE(late.error().message.find("step 1 is over: the last one was 3"), std::string::npos);
  EXPECT_EQ(drawn.token, 7u);
}

}  // namespace
}  // namespace gossamer::testing
