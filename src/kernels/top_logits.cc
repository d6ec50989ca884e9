#include "kernels/top_logits.h"

#include <algorithm>
#include <cmath>

namespace gossamer::kernels {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

}  // namespace

ExpSum ExpSum::of_stretch(std::span<const float> logits) {
  ExpSum result;
  for (float logit : logits)
    if (logit > result.largest_) result.largest_ = logit;
  for (float logit : logits)
    if (logit > kForbidden) result.sum_ += std::exp(static_cast<double>(logit) - result.largest_);
  return result;
}

void ExpSum::add(const ExpSum& next) {
  if (next.largest_ == kForbidden) return;
  if (next.largest_ > largest_) {
    sum_ = sum_ * std::exp(static_cast<double>(largest_) - next.largest_) + next.sum_;
    largest_ = next.largest_;
  } else {
    sum_ += next.sum_ * std::exp(static_cast<double>(next.largest_) - largest_);
  }
}

double ExpSum::log() const {
  return largest_ + std::log(sum_);
}

double log_sum_exp(std::span<const float> logits) {
  ExpSum sum;
  for (size_t begin = 0; begin < logits.size(); begin += ExpSum::kStretch)
    sum.add(ExpSum::of_stretch(logits.subspan(begin, std::min<size_t>(ExpSum::kStretch, logits.size() - begin))));
  return sum.log();
}

void TopCollector::reset(uint32_t k) {
  k_ = k;
  least_ = kForbidden;
  candidates_.clear();
}

void TopCollector::add(uint32_t first_token, std::span<const float> logits) {
  // NaN is above nothing. Among equals the first to come has the lower id and stays.
  for (size_t i = 0; i < logits.size(); ++i)
    if (logits[i] > least_) {
      candidates_.push_back({first_token + static_cast<uint32_t>(i), logits[i]});
      if (candidates_.size() == 2 * size_t{k_}) drop_the_rest();
    }
}

void TopCollector::drop_the_rest() {
  const auto last = candidates_.begin() + (k_ - 1);
  std::nth_element(candidates_.begin(), last, candidates_.end(), comes_before);
  least_ = last->logit;
  candidates_.resize(k_);
}

std::vector<Candidate> best_of(std::vector<Candidate> candidates, uint32_t k) {
  const auto end = candidates.begin() + static_cast<ptrdiff_t>(std::min<size_t>(k, candidates.size()));
  std::partial_sort(candidates.begin(), end, candidates.end(), comes_before);
  candidates.erase(end, candidates.end());
  return candidates;
}

}  // namespace gossamer::kernels
