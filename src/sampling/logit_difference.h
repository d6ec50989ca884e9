#pragma once

#include <cstdint>
#include <span>

#include "base/token.h"

namespace gossamer {

/// How far logits are from a judge's at the same positions of a text, summed up position after position. All figures
/// are 0 before the first one, the perplexity is 1.
class LogitDifference {
 public:
  /// One more position: `judge` and `other` are its logits [V], all finite; `next` is the token that follows in the
  /// text.
  void add(std::span<const float> judge, std::span<const float> other, TokenId next);

  uint64_t positions() const { return positions_; }
  /// Mean and largest |other - judge|, over every token of the vocabulary at every position. Logits as they are: both
  /// come from one model, so there is no shift between them to take out.
  double logit_mean() const;
  double logit_max() const { return logit_max_; }
  /// Mean |difference| of the log-probability (nats) of the token that follows.
  double logprob_mean() const { return mean(logprob_sum_); }
  /// Mean of KL(judge || other), in nats.
  double kl_mean() const { return mean(kl_sum_); }
  /// Positions at which both have the same likeliest token (the lower id among equals), in per cent.
  double top1_percent() const { return 100 * mean(static_cast<double>(same_top1_)); }
  /// Of the text as `other` sees it: e^(mean of minus the log-probability of the token that follows).
  double perplexity() const;

 private:
  double mean(double sum) const { return positions_ ? sum / static_cast<double>(positions_) : 0; }

  uint64_t positions_ = 0, same_top1_ = 0, num_logits_ = 0;
  double logit_sum_ = 0, logit_max_ = 0, logprob_sum_ = 0, kl_sum_ = 0;
  double surprise_sum_ = 0;  // of minus the log-probability of what follows, as `other` sees it
};

}  // namespace gossamer
