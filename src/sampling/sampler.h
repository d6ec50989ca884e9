#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "base/token.h"
#include "base/token_mask.h"
#include "kernels/draw_rule.h"
#include "kernels/top_logits.h"
#include "sampling/sampling_params.h"

namespace gossamer {

/// What is said where no token is allowed.
Error none_allowed(uint32_t position);

/// Chooses the tokens of one answer. The order of the stages stands at SamplingParams.
class Sampler {
 public:
  /// `params` have been validated; `prompt` counts for the repetition penalty.
  Sampler(const SamplingParams& params, std::span<const TokenId> prompt);

  /// How many of the likeliest tokens, after changes(), decide what sample() says: 1 where it is greedy, top_k where
  /// that bounds it; 0: any token may be drawn, all logits are needed.
  uint32_t needed_logits() const;
  /// Logit bias and penalties as of now, tokens ascending. Valid until the next accept().
  std::span<const kernels::LogitChange> changes() const { return changes_; }

  /// How sample() draws the token that will stand at `position`, for who has the logits elsewhere.
  kernels::DrawRule rule_at(uint32_t position) const;

  /// The next token, from `logits` [V] (minus infinity: forbidden; NaN counts as forbidden). `position` is where the
  /// token will stand in its sequence: with the seed it fixes the draw. `mask` forbids more tokens; null: none. Errors:
  /// no token is allowed.
  Result<TokenId> sample(std::span<const float> logits, uint32_t position, const TokenMask* mask = nullptr);
  /// The same token, from the needed_logits() best or more, changed.
  Result<TokenId> sample(const kernels::TopLogits& top, uint32_t position);

  /// The token was accepted: later penalties see it. (Separate from sample(), so that drafted tokens can be taken
  /// back.)
  void accept(TokenId token);

 private:
  kernels::LogitChange& change_of(TokenId token);
  /// `logits` themselves where nothing changes them.
  std::span<const float> changed(std::span<const float> logits, const TokenMask* mask);
  Result<TokenId> sample_any(std::span<const float> logits, uint32_t position);
  void weigh(std::span<const float> logits, float largest);
  void take_candidates(std::span<const float> logits, float least);
  void keep_top_k(std::span<const float> logits);
  void keep_top_p(std::span<const float> logits);
  void drop_after(const kernels::Candidate& last, std::span<const float> logits);
  Result<size_t> draw(uint32_t position) const;

  SamplingParams params_;
  std::unordered_map<TokenId, uint32_t> answer_counts_;  // of tokens in the answer
  std::vector<kernels::LogitChange> changes_;            // tokens ascending
  std::vector<float> changed_;                           // [V]
  std::vector<float> weights_;                           // e^((logit - largest) / temperature); 0: not drawn
  std::vector<kernels::Candidate> candidates_;           // of keep_top_k() and keep_top_p()
};

}  // namespace gossamer
