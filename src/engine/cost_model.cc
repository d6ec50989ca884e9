#include "engine/cost_model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <tuple>

namespace gossamer {
namespace {

constexpr double kLearning = 0.1;  // of a new step of a known kind
constexpr int kFitRounds = 20;     // coordinate descent from the last fit, which is near

}  // namespace

/// Scaled so that all terms are of one size in a large step: the fit is then well conditioned.
CostModel::Terms CostModel::terms(const Step& step) const {
  const double distinct = 1.0 - std::pow(1.0 - active_ / experts_, step.tokens);
  return {1.0, step.tokens / 512.0, static_cast<double>(step.kv_tokens) / 1e5,
          static_cast<double>(step.attended_tokens) / 1e6, distinct};
}

size_t CostModel::kind_of(const Step& step) const {
  const size_t tokens = std::min<size_t>(std::bit_width(step.tokens), kTokenKinds - 1);
  const uint64_t depth = step.attended_tokens / std::max(1u, step.tokens);
  const size_t deep = std::min<size_t>(std::bit_width(depth / 512), kDepthKinds - 1);
  return ((step.has_prompt ? kTokenKinds : 0) + tokens) * kDepthKinds + deep;
}

void CostModel::add(const Kind& kind, double sign) {
  if (kind.seen == 0) return;
  const double weight = sign / (kind.seconds * kind.seconds);
  for (size_t i = 0; i < kTerms; ++i) {
    targets_[i] += weight * kind.terms[i] * kind.seconds;
    for (size_t j = 0; j < kTerms; ++j) products_[i][j] += weight * kind.terms[i] * kind.terms[j];
  }
}

double CostModel::Ratios::p99() const {
  constexpr uint32_t kFewest = 16;
  if (count_ < kFewest) return 1;
  std::array<float, std::tuple_size_v<decltype(last_)>> sorted = last_;
  const size_t size = std::min<size_t>(count_, sorted.size());
  const auto at = sorted.begin() + static_cast<ptrdiff_t>((size * 99 - 1) / 100);
  std::nth_element(sorted.begin(), at, sorted.begin() + static_cast<ptrdiff_t>(size));
  return std::max(1.0, static_cast<double>(*at));
}

void CostModel::observe(const Step& step, double step_seconds) {
  constexpr uint32_t kKnown = 3;  // predictions for steps of a new kind say more about the model than about the machine
  if (const double predicted = seconds(step); kinds_[kind_of(step)].seen >= kKnown)
    (step.has_prompt ? prompt_ratios_ : answer_ratios_).add(step_seconds / predicted);
  steps_since_answers_alone_ = step.has_prompt ? steps_since_answers_alone_ + 1 : 0;
  largest_step_tokens_ = std::max(largest_step_tokens_, step.tokens);
  // One fit for all kinds of steps is off by a part for each; what it was off by lately is made up for.
  if (const double expected = fitted(step); expected > 0 && step.has_prompt)
    prompt_bias_ += kLearning * (std::clamp(step_seconds / expected, 0.1, 10.0) - prompt_bias_);
  Kind& kind = kinds_[kind_of(step)];
  add(kind, -1);
  const double share = std::max(kLearning, 1.0 / ++kind.seen);
  const Terms x = terms(step);
  for (size_t i = 0; i < kTerms; ++i) kind.terms[i] += share * (x[i] - kind.terms[i]);
  kind.seconds += share * (std::max(step_seconds, 1e-9) - kind.seconds);
  add(kind, 1);
  fit();
}

/// Least squares with no weight below zero: a step never gets shorter by having more to do.
void CostModel::fit() {
  for (int round = 0; round < kFitRounds; ++round)
    for (size_t i = 0; i < kTerms; ++i) {
      if (products_[i][i] <= 0) continue;
      double others = 0;
      for (size_t j = 0; j < kTerms; ++j) others += j == i ? 0 : products_[i][j] * weights_[j];
      weights_[i] = std::max(0.0, (targets_[i] - others) / products_[i][i]);
    }
}

double CostModel::seconds(const Step& step) const {
  return fitted(step) * (step.has_prompt ? prompt_bias_ : answers_correction(step));
}

/// What the fit is off by for answers alone, seen at the nearest depth. While a long prompt is read there are no such
/// steps, and the fit, which then learns of others only, would drift away from what was measured of them: the goal for
/// steps with prompts is made of it, so it would run after itself.
double CostModel::answers_correction(const Step& step) const {
  const size_t kind = kind_of(step), first = kind / kDepthKinds * kDepthKinds;
  for (size_t distance = 0; distance < kDepthKinds; ++distance)
    for (const size_t at : {kind - distance, kind + distance}) {
      if (at < first || at >= first + kDepthKinds || kinds_[at].seen == 0) continue;
      const double expected = weighted(kinds_[at].terms);
      return expected > 0 ? kinds_[at].seconds / expected : 1;
    }
  return 1;
}

double CostModel::weighted(const Terms& terms) const {
  double sum = 0;
  for (size_t i = 0; i < kTerms; ++i) sum += weights_[i] * terms[i];
  return sum;
}

uint32_t CostModel::tokens_within(double limit_seconds, const Step& decode, uint32_t prompt_depth,
                                  uint32_t most) const {
  const auto fits = [&](uint32_t tokens) {
    Step step = decode;
    if (tokens > decode.tokens) step.add_row(prompt_depth, tokens - decode.tokens, /*samples=*/false);
    return seconds(step) <= limit_seconds;
  };
  uint32_t low = decode.tokens;
  uint32_t high = std::max(low, std::min(most, std::max(1u, 2 * largest_step_tokens_)));
  while (low < high) {
    const uint32_t middle = high - (high - low) / 2;
    if (fits(middle))
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

}  // namespace gossamer
