#include "sampling/logit_difference.h"

#include <algorithm>
#include <cmath>

#include "kernels/top_logits.h"

namespace gossamer {
namespace {

/// The mean of (judge - other) over the tokens, each as likely as the judge says.
double logit_lead(std::span<const float> judge, std::span<const float> other) {
  const double largest = *std::max_element(judge.begin(), judge.end());
  double sum = 0, lead = 0;
  for (size_t token = 0; token < judge.size(); ++token) {
    const double weight = std::exp(judge[token] - largest);
    sum += weight;
    lead += weight * (static_cast<double>(judge[token]) - other[token]);
  }
  return lead / sum;
}

}  // namespace

void LogitDifference::add(std::span<const float> judge, std::span<const float> other, TokenId next) {
  for (size_t token = 0; token < judge.size(); ++token) {
    const double off = std::abs(static_cast<double>(other[token]) - judge[token]);
    logit_sum_ += off;
    logit_max_ = std::max(logit_max_, off);
  }
  const double judge_total = kernels::log_sum_exp(judge), total = kernels::log_sum_exp(other);
  const double judge_logprob = judge[next] - judge_total, logprob = other[next] - total;
  logprob_sum_ += std::abs(logprob - judge_logprob);
  surprise_sum_ -= logprob;
  // KL = E[log p - log q] = E[judge - other] - (log Z of the judge - log Z of the other); never negative but for its
  // rounding
  kl_sum_ += std::max(0.0, logit_lead(judge, other) - (judge_total - total));
  const auto top1 = [](std::span<const float> logits) {
    return std::max_element(logits.begin(), logits.end()) - logits.begin();
  };
  same_top1_ += top1(judge) == top1(other);
  num_logits_ += judge.size();
  ++positions_;
}

double LogitDifference::logit_mean() const {
  return num_logits_ ? logit_sum_ / static_cast<double>(num_logits_) : 0;
}

double LogitDifference::perplexity() const {
  return std::exp(mean(surprise_sum_));
}

}  // namespace gossamer
