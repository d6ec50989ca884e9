/// The product with the vocabulary of every instruction set of this machine, with masks, bias, penalties and the best
/// k, against matmul() of the same, a mask, changes and a sort.

#include "base/check.h"
#include "case_reader.h"
#include "kernels/machine_backends.h"
#include "kernels/made_up_weights.h"
#include "kernels/ref/ref_backend.h"
#include "kernels/top_logits.h"

namespace gossamer {
namespace {

using namespace testing;

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

/// What one row asks for, and where the answer goes.
struct Wish {
  std::vector<uint32_t> allowed;  // empty: all
  std::vector<LogitChange> changes;
  bool wants_all, wants_log_sum_exp;
  uint32_t top_k;
  std::vector<float> logits;
  TopLogits top;

  Wish(CaseReader& choose, uint32_t vocab_size, std::mt19937& rng) {
    enum class Mask { kNone, kAll, kHalf, kOne, kNothing };
    const auto mask = choose.one_of({Mask::kNone, Mask::kAll, Mask::kHalf, Mask::kOne, Mask::kNothing});
    if (mask != Mask::kNone) allowed.assign((vocab_size + 31) / 32, mask == Mask::kAll ? ~0u : 0u);
    if (mask == Mask::kHalf)
      for (uint32_t& word : allowed) word = rng() % 4 ? rng() : 0;
    if (const uint32_t only = rng() % vocab_size; mask == Mask::kOne) allowed[only / 32] = 1u << (only % 32);
    if (const uint32_t step = choose.number(0, 40); step > 0)
      for (uint32_t token = rng() % step; token < vocab_size; token += 1 + rng() % step)
        changes.push_back({.token = token,
                           .bias = static_cast<float>(rng() % 201) - 100,
                           .repetition = rng() % 2 ? 1.f : 0.5f + 0.25f * static_cast<float>(rng() % 6),
                           .penalty = 0.25f * static_cast<float>(rng() % 9) - 1});
    wants_all = choose.number(0, 3) == 3;
    wants_log_sum_exp = choose.flip();
    top_k = choose.number(1, 256);
    if (wants_all) logits.assign(vocab_size, NAN);
  }

  UnembedRow row() {
    UnembedRow wanted{.allowed = allowed.empty() ? nullptr : allowed.data()};
    if (wants_all)
      wanted.logits = logits.data();
    else
      wanted.top = &top, wanted.top_k = top_k, wanted.wants_log_sum_exp = wants_log_sum_exp, wanted.changes = changes;
    return wanted;
  }

  /// `all`: the row's logits as matmul() gives them.
  void check(std::vector<float> all) const {
    for (uint32_t v = 0; v < all.size(); ++v)
      if (!allowed.empty() && !(allowed[v / 32] >> (v % 32) & 1u)) all[v] = kForbidden;
    if (wants_all) {
      GOS_CHECK(std::memcmp(all.data(), logits.data(), all.size() * sizeof(float)) == 0);
      return;
    }
    if (wants_log_sum_exp) check_log_sum_exp(all);
    for (const LogitChange& change : changes) all[change.token] = change.apply(all[change.token]);
    std::vector<Candidate> sorted;
    for (uint32_t v = 0; v < all.size(); ++v)
      if (all[v] > kForbidden) sorted.push_back({v, all[v]});
    std::sort(sorted.begin(), sorted.end(), comes_before);
    if (sorted.size() > top_k) sorted.resize(top_k);
    GOS_CHECK(top.best.size() == sorted.size());
    for (size_t i = 0; i < sorted.size(); ++i)
      GOS_CHECK(top.best[i].token == sorted[i].token && top.best[i].logit == sorted[i].logit);
  }

 private:
  void check_log_sum_exp(const std::vector<float>& masked) const {
    GOS_CHECK(top.log_sum_exp == log_sum_exp(masked));
    double largest = kForbidden, sum = 0;
    for (const float logit : masked)
      if (logit > largest) largest = logit;
    for (const float logit : masked)
      if (logit > kForbidden) sum += std::exp(logit - largest);
    GOS_CHECK(sum == 0 ? top.log_sum_exp == kForbidden
                       : std::fabs(top.log_sum_exp - (largest + std::log(sum))) <= 1e-12 * (1 + std::fabs(largest)));
  }
};

}  // namespace
}  // namespace gossamer

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gossamer;
  using namespace gossamer::testing;
  static ThreadPool threads(2);
  CaseReader choose(data, size);
  const Format format = kFormats[choose.number(0, std::size(kFormats) - 1)];
  const Precision precision = choose.one_of({Precision::kDefault, Precision::kExact, Precision::kF32});
  const uint32_t vocab_size = choose.number(1, 700), width = 32 * choose.number(1, 6), num_rows = choose.number(1, 20);
  const float size_of_x = std::ldexp(1.f, static_cast<int>(choose.number(0, 30)) - 20);
  const bool equal_rows = choose.flip();
  const bool first_is_nan = choose.number(0, 8) == 8;
  std::mt19937 rng(choose.number(0, 0xffff));
  RandomMatrix w(format.dtype, format.layout, vocab_size, width, rng);
  if (equal_rows) w.rows.row_stride_bytes = w.rows.scale_stride_bytes = 0;  // all logits are alike: the lowest ids win
  auto x = random_floats(size_t{num_rows} * width, rng, size_of_x);
  if (first_is_nan) std::fill_n(x.begin(), width, NAN);
  std::vector<Wish> wishes;
  for (uint32_t t = 0; t < num_rows; ++t) wishes.emplace_back(choose, vocab_size, rng);

  std::vector<std::unique_ptr<Backend>> backends = fast_backends(threads, precision);
  backends.push_back(std::make_unique<RefBackend>());
  for (const auto& backend : backends) {
    std::vector<float> logits(size_t{num_rows} * vocab_size);
    backend->matmul({w.rows, nullptr, x.data(), num_rows, logits.data(), vocab_size, false});
    std::vector<Wish> answered = wishes;
    std::vector<UnembedRow> rows;
    for (Wish& wish : answered) rows.push_back(wish.row());
    backend->unembed({w.rows, x.data(), rows});
    for (uint32_t t = 0; t < num_rows; ++t)
      answered[t].check({logits.begin() + size_t{t} * vocab_size, logits.begin() + size_t{t + 1} * vocab_size});
  }
  return 0;
}
