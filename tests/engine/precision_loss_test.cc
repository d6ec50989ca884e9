#include "engine/precision_loss.h"

#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include "checkpoint/temp_folder.h"
#include "checkpoint/tiny_checkpoint.h"
#include "model/solo_sequence.h"
#include "sampling/logprobs.h"

namespace gossamer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ScoredTokens text_of(uint32_t num_tokens) {
  ScoredTokens text;
  for (uint32_t i = 0; i < num_tokens; ++i) text.tokens.push_back(i * 7 % 80);
  text.scored.assign(num_tokens, true);
  return text;
}

TEST(CutWindows, PredictEveryTokenButTheFirstOnce) {
  const std::vector<ScoredTokens> windows = cut_windows({{1, 2, 3, 4, 5, 6}, {true, true, true, true, true, true}}, 2);
  ASSERT_EQ(windows.size(), 3u);
  EXPECT_THAT(windows[0].tokens, ElementsAre(1, 2, 3));
  EXPECT_THAT(windows[1].tokens, ElementsAre(3, 4, 5));
  EXPECT_THAT(windows[2].tokens, ElementsAre(5, 6));
  for (const ScoredTokens& window : windows) EXPECT_FALSE(window.scored.front()) << "predicted by the window before";
}

TEST(CutWindows, LeaveOutThoseWithNothingToPredict) {
  EXPECT_TRUE(cut_windows({{}, {}}, 4).empty());
  EXPECT_TRUE(cut_windows({{1}, {true}}, 4).empty());
  const std::vector<ScoredTokens> windows = cut_windows({{1, 2, 3, 4, 5}, {true, false, false, false, true}}, 2);
  ASSERT_EQ(windows.size(), 1u);
  EXPECT_THAT(windows[0].tokens, ElementsAre(3, 4, 5));
}

class PrecisionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ModelConfig config = testing::tiny_config();
    config.head_dim = 32;
    testing::write_hugging_face(folder_.path(), config, 3);
    LoadOptions options;
    options.num_threads = 2;
    options.need_tokenizer = false;
    options.precision = kernels::Precision::kF32;
    options.pack_weights = false;
    auto loaded = LoadedModel::load(folder_.path(), options);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    loaded_ = std::move(loaded).value();
  }

  /// e^(mean of minus the log-probability of each token but the first), by one forward over the whole text.
  double perplexity_of(const std::vector<TokenId>& tokens) {
    const auto length = static_cast<uint32_t>(tokens.size());
    SoloSequence sequence = SoloSequence::make(*loaded_->model, kernels::KvDtype::kF32, length).value();
    Batch batch;
    batch.tokens = tokens;
    BatchRow& row = batch.rows.emplace_back(sequence.next_row(length));
    row.logit_offsets.resize(length);
    std::iota(row.logit_offsets.begin(), row.logit_offsets.end(), 0u);
    const std::span<const float> logits = loaded_->model->forward(batch).value();
    const uint32_t vocabulary = loaded_->model->config().vocab_size;
    double surprise = 0;
    for (uint32_t i = 0; i + 1 < length; ++i)
      surprise -= logprobs_of(logits.subspan(size_t{i} * vocabulary, vocabulary), tokens[i + 1], 0).chosen;
    return std::exp(surprise / (length - 1));
  }

  testing::TempFolder folder_;
  std::unique_ptr<LoadedModel> loaded_;
};

TEST_F(PrecisionTest, TheJudgeDiffersFromItselfByNothingAndTheOthersByLittle) {
  const ScoredTokens text = text_of(200);  // more than a chunk, more than a window of attention
  uint64_t heard = 0, all = 0;
  const auto measured =
      measure_precision(*loaded_, cut_windows(text, 256), kPrecisionModes, [&](uint64_t done, uint64_t of) {
        EXPECT_GT(done, heard);
        heard = done;
        all = of;
      });
  ASSERT_TRUE(measured.ok()) << measured.error().message;
  EXPECT_EQ(heard, all);
  ASSERT_EQ(measured->size(), std::size(kPrecisionModes));
  const LogitDifference& judge = measured->front();
  EXPECT_EQ(judge.logit_max(), 0);
  EXPECT_EQ(judge.kl_mean(), 0);
  EXPECT_EQ(judge.top1_percent(), 100);
  EXPECT_NEAR(judge.perplexity(), perplexity_of(text.tokens), 1e-4);
  for (size_t i = 0; i < measured->size(); ++i) {
    const PrecisionMode& mode = kPrecisionModes[i];
    SCOPED_TRACE(mode.name);
    const LogitDifference& difference = (*measured)[i];
    EXPECT_EQ(difference.positions(), 199u);
    const bool products_round = mode.products != kernels::Precision::kF32 && loaded_->model->backend().name() != "ref";
    const bool rounds = products_round || mode.kv_dtype != kernels::KvDtype::kF32;
    EXPECT_EQ(difference.logit_mean() > 0, rounds);
    EXPECT_LT(difference.logit_mean(), 0.1);
    EXPECT_LE(difference.logit_mean(), difference.logit_max());
    EXPECT_NEAR(difference.perplexity(), judge.perplexity(), 0.05 * judge.perplexity());
  }
}

TEST_F(PrecisionTest, WhatIsNotScoredIsComputedAllTheSame) {
  ScoredTokens text = text_of(40);
  std::fill(text.scored.begin(), text.scored.end(), false);
  text.scored[39] = true;
  const auto last = measure_precision(*loaded_, cut_windows(text, 64), kPrecisionModes);
  ASSERT_TRUE(last.ok());
  EXPECT_EQ(last->front().positions(), 1u);
  const ScoredTokens all = text_of(40), most = text_of(39);
  const double expected = std::pow(perplexity_of(all.tokens), 39) / std::pow(perplexity_of(most.tokens), 38);
  EXPECT_NEAR(last->front().perplexity(), expected, 1e-3 * expected);
}

TEST_F(PrecisionTest, EachWindowBeginsAnew) {
  ScoredTokens twice = text_of(11);
  const std::vector<ScoredTokens> once = cut_windows(twice, 10), both = {once[0], once[0]};
  const auto one = measure_precision(*loaded_, once, kPrecisionModes);
  const auto two = measure_precision(*loaded_, both, kPrecisionModes);
  ASSERT_TRUE(one.ok() && two.ok());
  for (size_t i = 0; i < one->size(); ++i) {
    EXPECT_EQ((*two)[i].positions(), 20u);
    EXPECT_EQ((*two)[i].logit_max(), (*one)[i].logit_max());
    EXPECT_NEAR((*two)[i].perplexity(), (*one)[i].perplexity(), 1e-9 * (*one)[i].perplexity());
  }
}

TEST_F(PrecisionTest, WindowsBeyondTheContextAreSaid) {
  const auto measured = measure_precision(*loaded_, cut_windows(text_of(300), 299), kPrecisionModes);
  ASSERT_FALSE(measured.ok());
  EXPECT_THAT(measured.error().message, HasSubstr("299"));
  EXPECT_THAT(measured.error().message, HasSubstr("256"));
}

}  // namespace
}  // namespace gossamer
