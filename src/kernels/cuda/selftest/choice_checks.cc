/// The choice of candidates: masks, the log of the sum, changes, the best k.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/cuda/selftest/check.h"
#include "kernels/cuda/selftest/tolerances.h"
#include "kernels/exp_weights.h"

namespace gossamer::kernels::cuda {
namespace {

/// A row of logits, what may be chosen of it, and how it is changed.
struct Row {
  std::vector<float> logits;
  const uint32_t* mask;  // null: all are allowed
  std::span<const LogitChangeOp> changes;
};

/// Minus infinity where it is forbidden.
std::vector<float> masked(const Row& row) {
  std::vector<float> out = row.logits;
  for (uint32_t token = 0; row.mask && token < out.size(); ++token)
    if (!(row.mask[token / 32] >> token % 32 & 1)) out[token] = -INFINITY;
  return out;
}

void compare_sum(Check& check, double got, const std::vector<float>& logits) {
  double largest = -INFINITY, sum = 0;
  for (const float logit : logits)
    if (logit > -INFINITY) largest = std::max<double>(largest, logit);
  for (const float logit : logits)
    if (logit > -INFINITY) sum += std::exp(logit - largest);
  // Differences reach 60; two roundings and a constant in the exponent, the exponential; sums are in double.
  check.near(got, largest + std::log(sum), 60 * 3 * kF32Rounding + kExp2Error, [] { return "the log of the sum"; });
}

void compare_best(Check& check, std::span<const DeviceCandidate> got, const Row& row, std::vector<float> logits,
                  uint32_t k) {
  for (const LogitChangeOp& change : row.changes) {
    float logit = logits[change.token] + change.bias;
    logit *= logit > 0 ? 1.f / change.repetition : change.repetition;
    logits[change.token] = logit - change.penalty;
  }
  std::vector<uint32_t> order;
  for (uint32_t token = 0; token < logits.size(); ++token)
    if (logits[token] > -INFINITY) order.push_back(token);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return logits[a] > logits[b]; });
  order.resize(std::min<size_t>(order.size(), k));
  check.expect(got.size() == order.size(),
               [&] { return fmt::format("{} candidates of {}, {} are right", got.size(), k, order.size()); });
  for (size_t i = 0; i < std::min(got.size(), order.size()); ++i)
    check.expect(got[i].token == order[i] && got[i].logit == logits[order[i]], [&] {
      return fmt::format("candidate {} of {} is token {} with {:.9g}, token {} with {:.9g} is right", i, k,
                         got[i].token, got[i].logit, order[i], logits[order[i]]);
    });
}

void choice(Check& check) {
  const uint32_t vocab = check.quick() ? 5003 : 201088, mask_words = (vocab + 31) / 32;
  constexpr uint32_t kMaxK = kMostCandidates;
  std::vector<uint32_t> masks(2 * mask_words, 0);
  for (uint32_t token = 0; token < vocab; ++token)
    if (check.rng()() % 2) masks[token / 32] |= 1u << token % 32;
  masks[mask_words + 4000 / 32] |= 1u << 4000 % 32;  // the second allows one token alone
  std::vector<LogitChangeOp> changes;
  for (uint32_t token = 3; token < vocab; token += 40)
    changes.push_back({token, static_cast<float>(check.rng()() % 9) - 4.f, 1.25f, 0.25f});
  const auto all_changes = static_cast<uint32_t>(changes.size());
  const std::vector<ChoiceRow> wishes = {{~0u, 0, 0, 1, 0}, {~0u, 0, 0, kMaxK, 1},        {0, 0, 0, 50, 1},
                                         {1, 0, 0, 50, 1},  {~0u, 0, all_changes, 20, 1}, {0, 0, all_changes, 257, 0},
                                         {0, 0, 0, 0, 0},   {1, 0, all_changes, 1, 0}};
  const auto num_rows = static_cast<uint32_t>(wishes.size());
  std::vector<float> logits(size_t{num_rows} * vocab);
  for (float& logit : logits)
    logit = static_cast<float>(static_cast<int>(check.rng()() % 4000) - 2000) / 128;  // many are equal
  logits[17] = NAN;
  ChooseOp args{};
  args.logits = check.upload(logits);
  args.num_rows = num_rows;
  args.vocab = vocab;
  args.rows = check.upload(wishes);
  args.masks = check.upload(masks);
  args.changes = check.upload(changes);
  args.max_k = kMaxK;
  args.best = check.make<DeviceCandidate>(num_rows * kMaxK);
  args.num_best = check.make<uint32_t>(num_rows);
  args.log_sum_exp = check.make<double>(num_rows);
  args.largest = check.make<float>(num_rows);
  choose(args, check.stream());
  const auto best = check.download(args.best, num_rows * kMaxK);
  const auto num_best = check.download(args.num_best, num_rows);
  const auto sums = check.download(args.log_sum_exp, num_rows);
  const auto largest = check.download(args.largest, num_rows);
  const auto left = check.download(args.logits, logits.size());
  for (uint32_t r = 0; r < num_rows; ++r) {
    const ChoiceRow& wish = wishes[r];
    const Row row{{logits.begin() + size_t{r} * vocab, logits.begin() + size_t{r + 1} * vocab},
                  wish.mask == ~0u ? nullptr : &masks[size_t{wish.mask} * mask_words],
                  std::span(changes).first(wish.num_changes)};
    const auto allowed = masked(row);
    if (wish.k == 0) {
      check.same_bits(std::span<const float>(left).subspan(size_t{r} * vocab, vocab), std::span<const float>(allowed),
                      [](size_t i) { return fmt::format("masked logit {}", i); });
      continue;
    }
    if (wish.wants_log_sum_exp) {
      compare_sum(check, sums[r], allowed);
      const float wanted = largest_of(allowed);
      check.same_bits(std::span(&largest[r], 1), std::span(&wanted, 1),
                      [r](size_t) { return fmt::format("the largest logit of row {}", r); });
    }
    compare_best(check, std::span(best).subspan(size_t{r} * kMaxK, std::min(num_best[r], kMaxK)), row, allowed, wish.k);
  }
}

}  // namespace

std::vector<NamedCheck> choice_checks() {
  return {{"choice of candidates", choice}};
}

}  // namespace gossamer::kernels::cuda
