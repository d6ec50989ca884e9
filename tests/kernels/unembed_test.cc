/// The product with the vocabulary and what follows from it, against matmul(), a mask, changes and a sort.

#include <cmath>
#include <cstring>

#include "each_backend.h"
#include "kernels/made_up_weights.h"
#include "kernels/ref/ref_backend.h"
#include "kernels/top_logits.h"
#include "support/sanitizers.h"

namespace gossamer::testing {
namespace {

using namespace kernels;

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

class Unembed : public EachBackend {};

/// A row's wish, made up: which tokens are allowed, what is changed.
struct MadeUpRow {
  std::vector<uint32_t> allowed;
  std::vector<LogitChange> changes;

  MadeUpRow(uint32_t vocab_size, std::mt19937& rng) : allowed((vocab_size + 31) / 32, ~0u) {
    if (rng() % 3 == 0)
      for (uint32_t& word : allowed) word = rng() & rng();
    if (rng() % 2 == 0)
      for (uint32_t token = rng() % 7; token < vocab_size; token += 1 + rng() % 40)
        changes.push_back({token, static_cast<float>(rng() % 5), rng() % 2 ? 1.f : 1.3f, 0.1f * (rng() % 4)});
  }

  std::vector<float> masked(std::span<const float> logits) const {
    std::vector<float> result(logits.begin(), logits.end());
    for (uint32_t v = 0; v < result.size(); ++v)
      if (!(allowed[v / 32] >> (v % 32) & 1u)) result[v] = kForbidden;
    return result;
  }
  std::vector<Candidate> sorted(std::vector<float> logits) const {
    for (const LogitChange& change : changes) logits[change.token] = change.apply(logits[change.token]);
    std::vector<Candidate> all;
    for (uint32_t v = 0; v < logits.size(); ++v)
      if (logits[v] > kForbidden) all.push_back({v, logits[v]});
    std::sort(all.begin(), all.end(), comes_before);
    return all;
  }
};

TEST_P(Unembed, GivesTheBestOfWhatTheProductMaskAndChangesGive) {
  std::mt19937 rng(20);
  for (const Format& format : kFormats)
    for (const auto& [vocab, width] : {std::pair<uint32_t, uint32_t>{1000, 96}, {129, 64}, {5, 32}}) {
      const RandomMatrix w(format.dtype, format.layout, vocab, width, rng);
      for (const uint32_t num_rows : {1u, 2u, 5u, 17u}) {
        if (kSanitized && (num_rows == 2 || num_rows == 5)) continue;  // one row, and several blocks of them
        const auto x = random_floats(size_t{num_rows} * width, rng);
        std::vector<float> product(size_t{num_rows} * vocab), full(product.size(), NAN);
        backend_->matmul({w.rows, nullptr, x.data(), num_rows, product.data(), vocab, false});
        std::vector<MadeUpRow> made_up;
        std::vector<TopLogits> tops(num_rows);
        std::vector<UnembedRow> rows(num_rows);
        for (uint32_t t = 0; t < num_rows; ++t) made_up.emplace_back(vocab, rng);
        for (uint32_t t = 0; t < num_rows; ++t) {
          rows[t].allowed = made_up[t].allowed.data();
          rows[t].wants_log_sum_exp = rng() % 2;
          rows[t].changes = made_up[t].changes;
          if (rng() % 4 == 0)
            rows[t].logits = full.data() + size_t{t} * vocab;
          else
            rows[t].top = &tops[t], rows[t].top_k = 1 + rng() % 60;
        }
        backend_->unembed({w.rows, x.data(), rows});
        for (uint32_t t = 0; t < num_rows; ++t) {
          const auto masked = made_up[t].masked(std::span(product).subspan(size_t{t} * vocab, vocab));
          if (!rows[t].top) {
            ASSERT_EQ(std::memcmp(rows[t].logits, masked.data(), vocab * sizeof(float)), 0);
            continue;
          }
          std::vector<Candidate> want = made_up[t].sorted(masked);
          if (want.size() > rows[t].top_k) want.resize(rows[t].top_k);
          ASSERT_EQ(tops[t].best.size(), want.size());
          for (size_t i = 0; i < want.size(); ++i) {
            ASSERT_EQ(tops[t].best[i].token, want[i].token) << dtype_name(format.dtype) << " row " << t << ", " << i;
            ASSERT_EQ(tops[t].best[i].logit, want[i].logit);
          }
          if (!rows[t].wants_log_sum_exp) continue;
          ASSERT_EQ(tops[t].log_sum_exp, log_sum_exp(masked)) << "the same bits in any cut";
          if (want.empty()) continue;
          double sum = 0;
          for (const float logit : masked) sum += std::exp(static_cast<double>(logit));
          ASSERT_NEAR(tops[t].log_sum_exp, std::log(sum), 1e-12 * std::fabs(std::log(sum)) + 1e-12);
        }
      }
    }
  expect_native(Op::kUnembed);
}

/// Of the real vocabulary, the one token that is allowed, though 150,000 others are likelier. (A sanitizer has seen it
/// all in a tenth of them: some ten chunks for each thread.)
TEST_P(Unembed, FindsTheOneTokenThatIsAllowedHoweverUnlikely) {
  constexpr uint32_t kVocabSize = kSanitized ? 20'096 : 201'088, kWidth = 32;
  std::mt19937 rng(21);
  const RandomMatrix w(Dtype::kQ8_0, Mxfp4Layout::kSplit, kVocabSize, kWidth, rng);
  const auto x = random_floats(kWidth, rng);
  std::vector<float> logits(kVocabSize);
  backend_->matmul({w.rows, nullptr, x.data(), 1, logits.data(), kVocabSize, false});
  std::vector<Candidate> all(kVocabSize);
  for (uint32_t v = 0; v < kVocabSize; ++v) all[v] = {v, logits[v]};
  std::sort(all.begin(), all.end(), comes_before);
  const uint32_t only = all[kVocabSize / 4 * 3].token;
  std::vector<uint32_t> allowed(kVocabSize / 32, 0u);
  allowed[only / 32] = 1u << (only % 32);
  const LogitChange changes[] = {{.token = all[0].token, .bias = 100}};
  TopLogits top;
  const UnembedRow row{
      .allowed = allowed.data(), .top = &top, .top_k = 40, .wants_log_sum_exp = true, .changes = changes};
  backend_->unembed({w.rows, x.data(), {&row, 1}});
  ASSERT_EQ(top.best.size(), 1u);
  EXPECT_EQ(top.best[0].token, only);
  EXPECT_EQ(top.log_sum_exp, static_cast<double>(logits[only]));
}

TEST_P(Unembed, OddWidthsFallBack) {
  std::mt19937 rng(22);
  const RandomMatrix w(Dtype::kF32, Mxfp4Layout::kSplit, 70, 33, rng);
  const auto x = random_floats(33, rng);
  TopLogits top, want;
  const auto ask = [&](Backend& backend, TopLogits& out) {
    const UnembedRow row{.top = &out, .top_k = 7};
    backend.unembed({w.rows, x.data(), {&row, 1}});
  };
  ask(*backend_, top);
  RefBackend ref;
  ask(ref, want);
  EXPECT_EQ(backend_->counts(Op::kUnembed).fallback, GetParam() == "ref" ? 0u : 1u);
  ASSERT_EQ(top.best.size(), 7u);
  for (size_t i = 0; i < 7; ++i) EXPECT_EQ(top.best[i].token, want.best[i].token);
}

TEST(TopCollector, KeepsTheLowerIdAmongEquals) {
  TopCollector collector;
  collector.reset(3);
  const std::vector<float> logits{1, 2, 2, 1, 2, 2, NAN, 1, 2};
  collector.add(0, logits);
  const auto best = best_of({collector.candidates().begin(), collector.candidates().end()}, 3);
  ASSERT_EQ(best.size(), 3u);
  EXPECT_EQ(best[0].token, 1u);
  EXPECT_EQ(best[1].token, 2u);
  EXPECT_EQ(best[2].token, 4u);
}

TEST(ExpSum, OfNothingAllowedIsMinusInfinity) {
  EXPECT_EQ(log_sum_exp(std::vector<float>(100, kForbidden)), kForbidden);
  std::vector<float> one(200, kForbidden);
  one[150] = 1000.f;
  EXPECT_EQ(log_sum_exp(one), 1000.0) << "large logits overflow nothing";
}

INSTANTIATE_TEST_SUITE_P(All, Unembed, all_backends_and_precisions(), backend_test_name);

}  // namespace
}  // namespace gossamer::testing
