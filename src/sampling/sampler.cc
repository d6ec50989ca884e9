#include "sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sampling/philox.h"

namespace gossamer {

Sampler::Sampler(const SamplingParams& params, std::span<const TokenId> prompt) : params_(params) {
  for (TokenId token : prompt) ++seen_[token];
}

void Sampler::accept(TokenId token) {
  ++answer_counts_[token];
  ++seen_[token];
}

/// Logit bias and penalties.
void Sampler::adjust(std::span<const float> logits) {
  adjusted_.assign(logits.begin(), logits.end());
  for (const auto& [token, bias] : params_.logit_bias)
    if (token < adjusted_.size()) adjusted_[token] += bias;
  if (params_.repetition_penalty != 1.f)
    for (const auto& [token, count] : seen_)
      if (token < adjusted_.size())
        adjusted_[token] *= adjusted_[token] > 0 ? 1.f / params_.repetition_penalty : params_.repetition_penalty;
  if (params_.presence_penalty != 0.f || params_.frequency_penalty != 0.f)
    for (const auto& [token, count] : answer_counts_)
      if (token < adjusted_.size())
        adjusted_[token] -= params_.presence_penalty + params_.frequency_penalty * static_cast<float>(count);
}

Result<TokenId> Sampler::sample(std::span<const float> logits, uint32_t position) {
  adjust(logits);
  // Largest first, the lower id among equals: the order does not depend on how it was sorted.
  const auto before = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
  };
  candidates_.clear();
  for (TokenId token = 0; token < adjusted_.size(); ++token)
    if (adjusted_[token] > -std::numeric_limits<float>::infinity()) candidates_.push_back({token, adjusted_[token]});
  if (candidates_.empty())
    return make_error(ErrorCode::kInvalidInput,
                      "no token is allowed at position {}: every logit is masked or not a number", position);
  if (params_.temperature == 0.f) return std::min_element(candidates_.begin(), candidates_.end(), before)->token;

  if (params_.top_k > 0 && params_.top_k < candidates_.size()) {
    std::nth_element(candidates_.begin(), candidates_.begin() + (params_.top_k - 1), candidates_.end(), before);
    candidates_.resize(params_.top_k);
  }
  // Tokens e^-40 times less likely than the first are beyond the resolution of the draw: not worth sorting.
  const float largest = std::min_element(candidates_.begin(), candidates_.end(), before)->logit;
  const float cut = largest - 40.f * params_.temperature;
  std::erase_if(candidates_, [&](const Candidate& c) { return !(c.logit >= cut); });
  std::sort(candidates_.begin(), candidates_.end(), before);

  probability_.resize(candidates_.size());
  double total = 0;
  for (size_t i = 0; i < candidates_.size(); ++i)
    total += probability_[i] = std::exp((static_cast<double>(candidates_[i].logit) - largest) / params_.temperature);
  for (double& p : probability_) p /= total;
  size_t kept = keep_top_p(probability_);
  while (kept > 1 && probability_[kept - 1] < params_.min_p * probability_[0]) --kept;

  double mass = 0;
  for (size_t i = 0; i < kept; ++i) mass += probability_[i];
  double left = uniform_at(params_.seed, params_.choice_index, position) * mass;
  for (size_t i = 0; i + 1 < kept; ++i)
    if ((left -= probability_[i]) < 0) return candidates_[i].token;
  return candidates_[kept - 1].token;
}

/// The smallest number of candidates, likeliest first, whose probabilities reach top_p.
size_t Sampler::keep_top_p(std::span<const double> probability) const {
  if (params_.top_p >= 1.f) return probability.size();
  double sum = 0;
  size_t kept = 0;
  while (kept < probability.size() && sum < params_.top_p) sum += probability[kept++];
  return std::max<size_t>(kept, 1);
}

}  // namespace gossamer
