#include "sampling/logit_difference.h"

#include <algorithm>
#include <cmath>

#include "sampling/logprobs.h"

namespace gossamer {
namespace {

/// The judge's log(sum of e^logit), and its mean of (judge - other) over the tokens, each as likely as the judge says.
struct Expectation {
  double log_sum_exp = 0;
  double logit_lead = 0;
};

/// Adds up as log_sum_exp() does, so that equal logits differ by nothing at all. One e^x a token, the costly part of
/// all this, does for both.
Expectation expectation_of(std::span<const float> judge, std::span<const float> other) {
  const double largest = *std::max_element(judge.begin(), judge.end());
  double sum = 0, lead = 0;
  for (size_t token = 0; token < judge.size(); ++token) {
    const double weight = std::exp(judge[token] - largest);
    sum += weight;
    lead += weight * (static_cast<double>(judge[token]) - other[token]);
  }
  return {largest + std::log(sum), lead / sum};
}

}  // namespace

void LogitDifference::add(std::span<const float> judge, std::span<const float> other, TokenId next) {
  for (size_t token = 0; token < judge.size(); ++token) {
    const double off = std::abs(static_cast<double>(other[token]) - judge[token]);
    logit_sum_ += off;
    logit_max_ = std::max(logit_max_, off);
  }
  const Expectation expected = expectation_of(judge, other);
  const double total = log_sum_exp(other);
  const double judge_logprob = judge[next] - expected.log_sum_exp, logprob = other[next] - total;
  logprob_sum_ += std::abs(logprob - judge_logprob);
  surprise_sum_ -= logprob;
  // KL = E[log p - log q] = E[judge - other] - (log Z of the judge - log Z of the other); never negative but for its
  // rounding
  kl_sum_ += std::max(0.0, expected.logit_lead - (expected.log_sum_exp - total));
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
