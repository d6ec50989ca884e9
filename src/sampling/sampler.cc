#include "sampling/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "sampling/philox.h"

namespace gossamer {

namespace {

/// Largest first, the lower id among equals: the order does not depend on how it was sorted.
constexpr auto before = [](const auto& a, const auto& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
};

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

/// The largest logit; kForbidden where there is none (NaN counts as forbidden). Lanes of its own let the compiler take
/// several at a time: a vocabulary is 200,000 logits, for every token of every answer.
float largest_of(std::span<const float> logits) {
  constexpr size_t kLanes = 16;
  std::array<float, kLanes> lanes;
  lanes.fill(kForbidden);
  size_t i = 0;
  for (; i + kLanes <= logits.size(); i += kLanes)
    for (size_t lane = 0; lane < kLanes; ++lane)
      lanes[lane] = logits[i + lane] > lanes[lane] ? logits[i + lane] : lanes[lane];
  for (; i < logits.size(); ++i) lanes[0] = logits[i] > lanes[0] ? logits[i] : lanes[0];
  return *std::max_element(lanes.begin(), lanes.end());
}

constexpr auto mass = [](const auto& candidates) {
  double sum = 0;
  for (const auto& candidate : candidates) sum += candidate.weight;
  return sum;
};

}  // namespace

Sampler::Sampler(const SamplingParams& params, std::span<const TokenId> prompt) : params_(params) {
  for (TokenId token : prompt) ++seen_[token];
}

void Sampler::accept(TokenId token) {
  ++answer_counts_[token];
  ++seen_[token];
}

bool Sampler::adjusts() const {
  return !params_.logit_bias.empty() || params_.repetition_penalty != 1.f || params_.presence_penalty != 0.f ||
         params_.frequency_penalty != 0.f;
}

/// What is forbidden, logit bias and penalties.
std::span<const float> Sampler::adjust(std::span<const float> logits, const TokenMask* mask) {
  if (!mask && !adjusts()) return logits;
  adjusted_.assign(logits.begin(), logits.end());
  if (mask) mask->apply(adjusted_);
  if (!adjusts()) return adjusted_;
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
  return adjusted_;
}

Result<TokenId> Sampler::sample(std::span<const float> logits, uint32_t position, const TokenMask* mask) {
  const std::span<const float> adjusted = adjust(logits, mask);
  const float largest = largest_of(adjusted);
  if (largest == kForbidden)
    return make_error(ErrorCode::kInvalidInput,
                      "no token is allowed at position {}: every logit is masked or not a number", position);
  // Tokens e^-40 times less likely than the first are beyond the resolution of the draw. With temperature 0 those that
  // are as likely as the first remain, and the first of them is it.
  const float cut = largest - 40.f * params_.temperature;
  candidates_.clear();
  for (TokenId token = 0; token < adjusted.size(); ++token)
    if (adjusted[token] >= cut) candidates_.push_back({token, adjusted[token]});
  if (params_.temperature == 0.f) return candidates_.front().token;

  if (params_.top_k > 0 && params_.top_k < candidates_.size()) {
    std::nth_element(candidates_.begin(), candidates_.begin() + (params_.top_k - 1), candidates_.end(), before);
    candidates_.resize(params_.top_k);
    std::sort(candidates_.begin(), candidates_.end(), before);
  }
  for (Candidate& c : candidates_) c.weight = std::exp((static_cast<double>(c.logit) - largest) / params_.temperature);
  if (params_.top_p < 1.f) keep_top_p();
  if (params_.min_p > 0) std::erase_if(candidates_, [&](const Candidate& c) { return c.weight < params_.min_p; });

  double left = uniform_at(params_.seed, params_.choice_index, position) * mass(candidates_);
  for (const Candidate& c : candidates_)
    if ((left -= c.weight) < 0) return c.token;
  return candidates_.back().token;
}

/// The smallest number of candidates, likeliest first, whose probabilities reach top_p. Most of the mass is in few of
/// them: more and more of the likeliest are sorted until it is reached, never the whole vocabulary for its own sake.
void Sampler::keep_top_p() {
  const double wanted = params_.top_p * mass(candidates_);
  double sum = 0;
  size_t sorted = 0, kept = 0;
  while (kept < candidates_.size() && (kept == 0 || sum < wanted)) {
    if (kept == sorted) {
      const size_t end = std::min(candidates_.size(), std::max<size_t>(64, 4 * sorted));
      std::partial_sort(candidates_.begin() + static_cast<ptrdiff_t>(sorted),
                        candidates_.begin() + static_cast<ptrdiff_t>(end), candidates_.end(), before);
      sorted = end;
    }
    sum += candidates_[kept++].weight;
  }
  candidates_.resize(kept);
}

}  // namespace gossamer
