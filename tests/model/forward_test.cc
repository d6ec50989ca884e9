/// What forward(batch) promises to those who schedule: same bits in any company, tokens taken back, masks, taps, honest
/// errors.

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>

#include "checkpoint/temp_folder.h"
#include "checkpoint/tiny_checkpoint.h"
#include "kernels/each_backend.h"
#include "model/model.h"
#include "model/solo_sequence.h"

namespace gossamer::testing {
namespace {

using ::testing::HasSubstr;

class Forward : public EachBackend {
 protected:
  void SetUp() override {
    EachBackend::SetUp();
    if (IsSkipped()) return;
    ModelConfig config = tiny_config();
    config.head_dim = 32;  // one that the fast attention takes
    write_hugging_face(folder_.path(), config, 1);
    auto checkpoint = Checkpoint::open(folder_.path());
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    checkpoint_ = std::make_unique<Checkpoint>(std::move(checkpoint).value());
    model_ = std::make_unique<Model>(*checkpoint_, std::move(backend_));
    for (TokenId t = 0; t < 60; ++t) tokens_.push_back((t * 37 + 11) % vocab());
  }

  uint32_t vocab() const { return checkpoint_->config().vocab_size; }

  SoloSequence make_sequence(kernels::KvDtype dtype = kernels::KvDtype::kF32) const {
    return SoloSequence::make(*model_, dtype, 64).value();
  }

  /// A row of tokens_[begin, end) with all its logits asked for.
  BatchRow row(SoloSequence& sequence, uint32_t begin, uint32_t end) const {
    sequence.truncate(begin);
    BatchRow r = sequence.next_row(end - begin);
    for (uint32_t i = 0; i < r.length; ++i) r.logit_offsets.push_back(i);
    return r;
  }

  std::vector<float> run(std::vector<BatchRow> rows) {
    Batch batch;
    for (const BatchRow& r : rows)
      batch.tokens.insert(batch.tokens.end(), tokens_.begin() + r.start, tokens_.begin() + r.start + r.length);
    batch.rows = std::move(rows);
    auto logits = model_->forward(batch);
    EXPECT_TRUE(logits.ok()) << logits.error().message;
    return {logits->begin(), logits->end()};
  }

  std::vector<float> whole(uint32_t end, kernels::KvDtype dtype = kernels::KvDtype::kF32) {
    SoloSequence sequence = make_sequence(dtype);
    return run({row(sequence, 0, end)});
  }

  std::string error_of(Batch batch) {
    auto logits = model_->forward(batch);
    return logits.ok() ? "accepted" : logits.error().message;
  }

  static void expect_same_bits(std::span<const float> got, std::span<const float> want) {
    ASSERT_EQ(got.size(), want.size());
    EXPECT_EQ(std::memcmp(got.data(), want.data(), got.size_bytes()), 0);
  }

  TempFolder folder_;
  std::unique_ptr<Checkpoint> checkpoint_;
  std::unique_ptr<Model> model_;
  std::vector<TokenId> tokens_;
};

TEST_P(Forward, ChunksOfAnySizeGiveTheSameBits) {
  for (const kernels::KvDtype dtype : {kernels::KvDtype::kF32, kernels::KvDtype::kBf16, kernels::KvDtype::kInt8}) {
    const auto want = whole(60, dtype);
    for (uint32_t chunk : {1u, 2u, 7u, 32u, 59u}) {
      SoloSequence sequence = make_sequence(dtype);
      std::vector<float> got;
      for (uint32_t begin = 0; begin < 60; begin += chunk) {
        const auto part = run({row(sequence, begin, std::min(begin + chunk, 60u))});
        got.insert(got.end(), part.begin(), part.end());
      }
      expect_same_bits(got, want);
    }
  }
}

TEST_P(Forward, PackedWeightsGiveTheSameBits) {
  const auto want = whole(60, kernels::KvDtype::kF32);
  EXPECT_EQ(model_->packed_bytes() > 0, rounded());
  size_t calls = 0;
  ASSERT_TRUE(model_->pack([&](std::string_view, uint64_t, uint64_t) { ++calls; }).ok());
  EXPECT_EQ(calls > 0, rounded());
  expect_same_bits(whole(60, kernels::KvDtype::kF32), want);
}

/// What a page holds beyond the tokens that were written to it is never read.
TEST_P(Forward, NonsenseInFreshPagesChangesNothing) {
  for (const kernels::KvDtype dtype : {kernels::KvDtype::kF32, kernels::KvDtype::kBf16, kernels::KvDtype::kInt8}) {
    const auto want = whole(60, dtype);
    for (const int nonsense : {0xff, 0x7f}) {  // NaN in every float format, and large codes with NaN scales
      SoloSequence sequence = make_sequence(dtype);
      sequence.memory().fill(static_cast<std::byte>(nonsense));
      std::vector<float> got = run({row(sequence, 0, 33)});
      const auto rest = run({row(sequence, 33, 60)});
      got.insert(got.end(), rest.begin(), rest.end());
      expect_same_bits(got, want);
    }
  }
}

/// Sliding layers without pages for what leaves the window: the step's own memory serves for the rest.
TEST_P(Forward, SlidingPagesThatNobodyNeedsLaterNeedNotBeThere) {
  const auto want = whole(60);
  const uint32_t window = model_->config().sliding_window;
  SoloSequence sequence = make_sequence();
  BatchRow first = row(sequence, 0, 50), second = row(sequence, 50, 60);
  ASSERT_LT(window, 16u) << "page 0 has left the window before the second row begins";
  std::vector<PageId> sliding(first.cache.sliding.begin(), first.cache.sliding.end());
  sliding[0] = kNoPage;
  first.cache.sliding = second.cache.sliding = sliding;
  std::vector<float> got = run({first});
  const auto rest = run({second});
  got.insert(got.end(), rest.begin(), rest.end());
  expect_same_bits(got, want);
}

TEST_P(Forward, ARowInAMixedBatchHasTheBitsItHasAlone) {
  const auto want = whole(60);
  SoloSequence decoding = make_sequence(), prefilling = make_sequence(), other = make_sequence();
  run({row(decoding, 0, 40)});
  run({row(other, 0, 9)});
  const auto got = run({row(decoding, 40, 41), row(prefilling, 0, 25), row(other, 9, 13)});
  const size_t v = vocab();
  expect_same_bits(std::span(got).subspan(0, v), std::span(want).subspan(40 * v, v));
  expect_same_bits(std::span(got).subspan(v, 25 * v), std::span(want).subspan(0, 25 * v));
  expect_same_bits(std::span(got).subspan(26 * v, 4 * v), std::span(want).subspan(9 * v, 4 * v));
}

TEST_P(Forward, TokensCanBeTakenBack) {
  const auto want = whole(60);
  SoloSequence sequence = make_sequence();
  run({row(sequence, 0, 30)});
  Batch rejected;  // a draft that did not hold
  rejected.tokens = {1, 2, 3, 4, 5};
  rejected.rows = {row(sequence, 30, 35)};
  ASSERT_TRUE(model_->forward(rejected).ok());
  const auto got = run({row(sequence, 30, 60)});
  expect_same_bits(got, std::span(want).subspan(static_cast<size_t>(30) * vocab()));
}

TEST_P(Forward, OnlyAskedPositionsGetLogitsInTheOrderOfTheRows) {
  const auto want = whole(20);
  SoloSequence a = make_sequence(), b = make_sequence();
  BatchRow first = row(a, 0, 20), second = row(b, 0, 10);
  first.logit_offsets = {3, 19};
  second.logit_offsets = {};
  const auto got = run({first, second});
  const size_t v = vocab();
  ASSERT_EQ(got.size(), 2 * v);
  expect_same_bits(std::span(got).subspan(0, v), std::span(want).subspan(3 * v, v));
  expect_same_bits(std::span(got).subspan(v, v), std::span(want).subspan(19 * v, v));
}

TEST_P(Forward, MasksForbidPerPosition) {
  const auto want = whole(4);
  TokenMask only_seven(vocab(), false), no_five(vocab(), true);
  only_seven.allow(7);
  no_five.forbid(5);
  SoloSequence sequence = make_sequence();
  BatchRow masked = row(sequence, 0, 4);
  masked.masks = {&only_seven, nullptr, &no_five, nullptr};
  const auto got = run({masked});
  const size_t v = vocab();
  for (size_t t = 0; t < v; ++t) {
    EXPECT_EQ(got[t], t == 7 ? want[t] : -INFINITY);
    EXPECT_EQ(got[v + t], want[v + t]);
    EXPECT_EQ(got[2 * v + t], t == 5 ? -INFINITY : want[2 * v + t]);
  }
}

TEST_P(Forward, TheBestOfAPositionAreThoseOfItsLogits) {
  const auto want = whole(4);
  SoloSequence sequence = make_sequence();
  BatchRow asks = row(sequence, 0, 4);
  kernels::TopLogits first, last;
  const kernels::LogitChange changes[] = {{.token = 9, .bias = 1000}};
  asks.tops = {{.k = 3, .wants_log_sum_exp = true, .top = &first}, {}, {}, {.k = 2, .changes = changes, .top = &last}};
  const auto got = run({asks});
  const size_t v = vocab();
  ASSERT_EQ(got.size(), 2 * v) << "of the two in the middle";
  expect_same_bits(got, std::span(want).subspan(v, 2 * v));
  const auto logits = std::span(want).first(v);
  ASSERT_EQ(first.best.size(), 3u);
  EXPECT_EQ(first.best[0].token, std::max_element(logits.begin(), logits.end()) - logits.begin());
  EXPECT_EQ(first.best[0].logit, *std::max_element(logits.begin(), logits.end()));
  EXPECT_EQ(first.log_sum_exp, kernels::log_sum_exp(logits));
  EXPECT_EQ(last.best[0].token, 9u);
}

TEST_P(Forward, TapsGiveTheOutputsOfTheirLayers) {
  SoloSequence traced = make_sequence(), tapped = make_sequence(), other = make_sequence();
  ForwardTrace trace;
  Batch batch;
  batch.tokens.assign(tokens_.begin(), tokens_.begin() + 6);
  batch.rows = {row(traced, 0, 6)};
  ASSERT_TRUE(model_->forward(batch, &trace).ok());
  HiddenTaps taps;
  taps.layers = {0, 1};
  BatchRow with_taps = row(tapped, 0, 6);
  with_taps.taps = &taps;
  run({row(other, 0, 3), with_taps});
  ASSERT_EQ(taps.hidden.size(), 2u);
  for (size_t layer : {0u, 1u}) expect_same_bits(taps.hidden[layer], trace.layers[layer].hidden);
}

TEST_P(Forward, WhatCannotBeComputedIsAnErrorAndChangesNothing) {
  SoloSequence sequence = make_sequence();
  run({row(sequence, 0, 5)});
  const auto with = [&](auto change) {
    Batch batch;
    batch.tokens = {1, 2};
    batch.rows = {row(sequence, 5, 7)};
    change(batch);
    return error_of(batch);
  };
  EXPECT_THAT(with([&](Batch& b) { b.tokens[1] = vocab(); }), HasSubstr("is not one of the model's"));
  EXPECT_THAT(with([](Batch& b) { b.tokens.pop_back(); }), HasSubstr("has 1 tokens, but its rows name 2"));
  EXPECT_THAT(with([](Batch& b) { b.rows[0].start = 63; }),
              HasSubstr("ends at position 65, but its sequence has 2 pages of 3"));
  EXPECT_THAT(with([](Batch& b) { b.rows[0].length = 0; }), HasSubstr("has no tokens"));
  EXPECT_THAT(with([](Batch& b) { b.rows[0].length = 0xffffffff; }), HasSubstr("the context has"));
  EXPECT_THAT(with([](Batch& b) { b.rows[0].cache.memory = nullptr; }), HasSubstr("has no cache"));
  EXPECT_THAT(with([](Batch& b) { b.rows.push_back(b.rows[0]); }), HasSubstr("writes to a page of another row"));
  const PageId none[] = {kNoPage, kNoPage}, huge[] = {0, 1000};
  EXPECT_THAT(with([&](Batch& b) { b.rows[0].cache.full = none; }), HasSubstr("has no full page 0"));
  EXPECT_THAT(with([&](Batch& b) { b.rows[0].cache.sliding = none; }), HasSubstr("has no sliding page 0"));
  EXPECT_THAT(with([&](Batch& b) { b.rows[0].start = 40, b.rows[0].cache.full = huge; }),
              HasSubstr("has no full page 1"));
  EXPECT_THAT(with([](Batch& b) { b.rows[0].logit_offsets = {2}; }), HasSubstr("wants logits at offset 2 of 2"));
  EXPECT_THAT(with([](Batch& b) { b.rows[0].logit_offsets = {1, 0}; }), HasSubstr("wants logits at offset 0"));
  EXPECT_THAT(with([](Batch& b) { b.rows[0].masks = {nullptr}; }), HasSubstr("has 1 masks for 2 positions"));
  TokenMask small(3, true);
  EXPECT_THAT(with([&](Batch& b) { b.rows[0].masks = {&small, nullptr}; }), HasSubstr("a mask of 3 tokens"));
  EXPECT_THAT(with([](Batch& b) { b.rows[0].tops = {{}}; }), HasSubstr("has 1 wishes for the best for 2 positions"));
  EXPECT_THAT(with([](Batch& b) { b.rows[0].tops = {{.k = 1}, {}}; }), HasSubstr("without a place for them"));
  EXPECT_THAT(with([](Batch& b) { b.rows[0].tops = {{.stays = true}, {}}; }), HasSubstr("where nobody draws"));
  HiddenTaps taps{{9}, {}};
  EXPECT_THAT(with([&](Batch& b) { b.rows[0].taps = &taps; }), HasSubstr("taps layer 9 of 2"));
}

TEST_P(Forward, AnEmptyBatchIsNoWork) {
  EXPECT_EQ(error_of({}), "accepted");
}

INSTANTIATE_TEST_SUITE_P(All, Forward, all_invariant_backends(), backend_test_name);

}  // namespace
}  // namespace gossamer::testing
