#include "sampling/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "sampling/philox.h"

namespace gossamer {

namespace {

/// As kernels::comes_before().
constexpr auto before = [](const auto& a, const auto& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
};

/// More than this are not found faster than all logits are written.
constexpr uint32_t kMostNeededLogits = 256;

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
  for (const auto& [token, bias] : params.logit_bias) change_of(token).bias += bias;
  if (params.repetition_penalty == 1.f) return;
  std::vector<TokenId> seen(prompt.begin(), prompt.end());
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  for (TokenId token : seen) change_of(token).repetition = params.repetition_penalty;
}

void Sampler::accept(TokenId token) {
  const uint32_t count = ++answer_counts_[token];
  if (params_.repetition_penalty != 1.f) change_of(token).repetition = params_.repetition_penalty;
  if (params_.presence_penalty != 0.f || params_.frequency_penalty != 0.f)
    change_of(token).penalty = params_.presence_penalty + params_.frequency_penalty * static_cast<float>(count);
}

kernels::LogitChange& Sampler::change_of(TokenId token) {
  auto at = std::lower_bound(changes_.begin(), changes_.end(), token,
                             [](const kernels::LogitChange& change, TokenId t) { return change.token < t; });
  if (at == changes_.end() || at->token != token) at = changes_.insert(at, {.token = token});
  return *at;
}

uint32_t Sampler::needed_logits() const {
  if (params_.temperature == 0.f) return 1;
  return params_.top_k <= kMostNeededLogits ? params_.top_k : 0;
}

/// What is forbidden, and changed.
std::span<const float> Sampler::changed(std::span<const float> logits, const TokenMask* mask) {
  if (!mask && changes_.empty()) return logits;
  changed_.assign(logits.begin(), logits.end());
  if (mask) mask->apply(changed_);
  for (const kernels::LogitChange& change : changes_)
    if (change.token < changed_.size()) changed_[change.token] = change.apply(changed_[change.token]);
  return changed_;
}

Result<TokenId> Sampler::sample(std::span<const float> logits, uint32_t position, const TokenMask* mask) {
  const std::span<const float> all = changed(logits, mask);
  const float largest = largest_of(all);
  // Tokens e^-40 times less likely than the first are beyond the resolution of the draw. With temperature 0 those that
  // are as likely as the first remain, and the first of them is it.
  const float cut = largest - 40.f * params_.temperature;
  candidates_.clear();
  if (largest > kForbidden)
    for (TokenId token = 0; token < all.size(); ++token)
      if (all[token] >= cut) candidates_.push_back({token, all[token]});
  if (params_.top_k > 0 && params_.top_k < candidates_.size()) {
    std::nth_element(candidates_.begin(), candidates_.begin() + (params_.top_k - 1), candidates_.end(), before);
    candidates_.resize(params_.top_k);
  }
  if (needed_logits() > 0) std::sort(candidates_.begin(), candidates_.end(), before);
  return draw(position);
}

Result<TokenId> Sampler::sample(const kernels::TopLogits& top, uint32_t position) {
  candidates_.clear();
  for (const kernels::Candidate& c : std::span(top.best).first(std::min<size_t>(needed_logits(), top.best.size())))
    if (c.logit >= top.best.front().logit - 40.f * params_.temperature) candidates_.push_back({c.token, c.logit});
  return draw(position);
}

/// One of the candidates, the likeliest of which has not been cut.
Result<TokenId> Sampler::draw(uint32_t position) {
  if (candidates_.empty())
    return make_error(ErrorCode::kInvalidInput,
                      "no token is allowed at position {}: every logit is masked or not a number", position);
  if (params_.temperature == 0.f) return candidates_.front().token;
  float largest = kForbidden;
  for (const Candidate& c : candidates_) largest = std::max(largest, c.logit);
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
