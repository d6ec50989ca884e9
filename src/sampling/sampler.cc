#include "sampling/sampler.h"

#include <algorithm>
#include <array>
#include <limits>

#include "kernels/exp_weights.h"
#include "sampling/philox.h"

namespace gossamer {

namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

/// Of 1 / temperature: with it, too, whatever is less likely than the likeliest is never drawn.
constexpr float kLargestScale = 1e30f;

/// Weights are added up in stretches, so that what draws can pass over a stretch and be where its sum says.
constexpr size_t kStretch = kernels::kDrawStretch;

/// In float and in lanes, which the compiler takes several at a time.
double sum_of_stretch(std::span<const float> weights, float least = 0) {
  constexpr size_t kLanes = kernels::kDrawLanes;
  std::array<float, kLanes> lanes{};
  size_t i = 0;
  for (; i + kLanes <= weights.size(); i += kLanes)
    for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += weights[i + lane] >= least ? weights[i + lane] : 0.f;
  for (; i < weights.size(); ++i) lanes[0] += weights[i] >= least ? weights[i] : 0.f;
  float sum = 0;
  for (const float lane : lanes) sum += lane;
  return sum;
}

std::span<const float> stretch_at(std::span<const float> weights, size_t begin) {
  return weights.subspan(begin, std::min(kStretch, weights.size() - begin));
}

/// Of those that are not below `least`.
double sum_of(std::span<const float> weights, float least = 0) {
  double sum = 0;
  for (size_t begin = 0; begin < weights.size(); begin += kStretch)
    sum += sum_of_stretch(stretch_at(weights, begin), least);
  return sum;
}

void drop_below(std::span<float> weights, float least) {
  if (least == 0) return;
  for (float& weight : weights) weight = weight < least ? 0.f : weight;
}

}  // namespace

Error none_allowed(uint32_t position) {
  return make_error(ErrorCode::kInvalidInput,
                    "no token is allowed at position {}: every logit is masked or not a number", position);
}

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
  return params_.top_k <= kernels::DrawRule::kMostRanked ? params_.top_k : 0;
}

kernels::DrawRule Sampler::rule_at(uint32_t position) const {
  kernels::DrawRule rule;
  if (params_.temperature == 0.f) return rule;
  rule.scale = std::min(1.f / params_.temperature, kLargestScale);
  rule.top_p = params_.top_p;
  rule.min_p = params_.min_p;
  rule.top_k = params_.top_k;
  rule.uniform = uniform_at(params_.seed, params_.choice_index, position);
  return rule;
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
  const uint32_t needed = needed_logits();
  if (needed == 0) return sample_any(all, position);
  kernels::TopCollector collector;
  collector.reset(needed);
  collector.add(0, all);
  kernels::TopLogits top;
  top.best = kernels::best_of({collector.candidates().begin(), collector.candidates().end()}, needed);
  return sample(top, position);
}

/// Weights are relative to the likeliest, whose weight is 1.
void Sampler::weigh(std::span<const float> logits, float largest) {
  const float scale = std::min(1.f / params_.temperature, kLargestScale);
  weights_.resize(logits.size());
  kernels::exp_weights(logits, largest, scale, kernels::kLeastExponent, weights_);
}

Result<TokenId> Sampler::sample(const kernels::TopLogits& top, uint32_t position) {
  const auto best = std::span(top.best).first(std::min<size_t>(needed_logits(), top.best.size()));
  if (best.empty()) return none_allowed(position);
  if (params_.temperature == 0.f) return best.front().token;
  std::vector<float> logits;
  for (const kernels::Candidate& candidate : best) logits.push_back(candidate.logit);
  weigh(logits, logits.front());
  if (params_.top_p < 1.f) {
    const double wanted = params_.top_p * sum_of(weights_);
    double sum = 0;
    for (float& weight : weights_) {
      if (sum >= wanted) weight = 0;
      sum += weight;
    }
  }
  drop_below(weights_, params_.min_p);
  GOS_TRY(const size_t drawn, draw(position));
  return best[drawn].token;
}

/// Any of all tokens, as far as top_p, min_p and a large top_k let them.
Result<TokenId> Sampler::sample_any(std::span<const float> logits, uint32_t position) {
  weigh(logits, kernels::largest_of(logits));
  if (params_.top_k > 0 && params_.top_k < logits.size()) keep_top_k(logits);
  if (params_.top_p < 1.f) keep_top_p(logits);
  drop_below(weights_, params_.min_p);
  GOS_TRY(const size_t drawn, draw(position));
  return static_cast<TokenId>(drawn);
}

/// One of weights_, by weight.
Result<size_t> Sampler::draw(uint32_t position) const {
  const double total = sum_of(weights_);
  if (!(total > 0)) return none_allowed(position);
  double left = uniform_at(params_.seed, params_.choice_index, position) * total;
  size_t here = 0;
  for (size_t begin = 0; begin < weights_.size(); begin += kStretch) {
    const double sum = sum_of_stretch(stretch_at(weights_, begin));
    if (sum == 0) continue;
    here = begin;
    if (left < sum) break;
    left -= sum;
  }
  size_t drawn = here;
  for (size_t i = here; i < std::min(here + kStretch, weights_.size()); ++i) {
    if (weights_[i] == 0) continue;
    drawn = i;  // the last of the stretch at the latest: one by one they may be a little less than in lanes
    if ((left -= weights_[i]) < 0) break;
  }
  return drawn;
}

/// The tokens whose weight is not below `least`, and not nothing.
void Sampler::take_candidates(std::span<const float> logits, float least) {
  candidates_.clear();
  for (TokenId token = 0; token < logits.size(); ++token)
    if (weights_[token] > 0 && weights_[token] >= least) candidates_.push_back({token, logits[token]});
}

void Sampler::keep_top_k(std::span<const float> logits) {
  take_candidates(logits, 0);
  if (candidates_.size() <= params_.top_k) return;
  const auto last = candidates_.begin() + (params_.top_k - 1);
  std::nth_element(candidates_.begin(), last, candidates_.end(), kernels::comes_before);
  drop_after(*last, logits);
}

/// The smallest number of tokens, likeliest first, whose probabilities reach top_p. Most of the mass is in few of them,
/// so the few that reach it are looked for first among the likeliest; the last of them is found by halves, never by
/// sorting a vocabulary.
void Sampler::keep_top_p(std::span<const float> logits) {
  const double wanted = params_.top_p * sum_of(weights_);
  uint32_t level = 0;
  while (level < kernels::kDrawLevels && sum_of(weights_, kernels::draw_level(level)) < wanted) ++level;
  const float least = level < kernels::kDrawLevels ? kernels::draw_level(level) : 0;
  take_candidates(logits, least);
  double before = 0;  // the mass of those before `begin`, which is below what is wanted
  auto begin = candidates_.begin(), end = candidates_.end();
  while (end - begin > 1) {
    const auto middle = begin + (end - begin) / 2;
    std::nth_element(begin, middle, end, kernels::comes_before);
    double half = 0;
    for (auto candidate = begin; candidate < middle; ++candidate) half += weights_[candidate->token];
    if (before + half >= wanted) {
      end = middle;
    } else {
      before += half;
      begin = middle;
    }
  }
  if (begin < end) drop_after(*begin, logits);
}

/// Only `last` and what comes before it may be drawn.
void Sampler::drop_after(const kernels::Candidate& last, std::span<const float> logits) {
  for (TokenId token = 0; token < logits.size(); ++token)
    if (kernels::comes_before(last, {token, logits[token]})) weights_[token] = 0;
}

}  // namespace gossamer
