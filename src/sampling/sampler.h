#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "base/token.h"
#include "base/token_mask.h"
#include "sampling/sampling_params.h"

namespace gossamer {

/// Chooses the tokens of one answer. The order of the stages stands at SamplingParams.
class Sampler {
 public:
  /// `params` have been validated; `prompt` counts for the repetition penalty.
  Sampler(const SamplingParams& params, std::span<const TokenId> prompt);

  /// The next token, from `logits` [V] (minus infinity: forbidden; NaN counts as forbidden). `position` is where the
  /// token will stand in its sequence: with the seed it fixes the draw. `mask` forbids more tokens; null: none. Errors:
  /// no token is allowed.
  Result<TokenId> sample(std::span<const float> logits, uint32_t position, const TokenMask* mask = nullptr);

  /// The token was accepted: later penalties see it. (Separate from sample(), so that drafted tokens can be taken
  /// back.)
  void accept(TokenId token);

 private:
  struct Candidate {
    TokenId token;
    float logit;
    double weight = 0;  // e^((logit - largest) / temperature)
  };
  bool adjusts() const;
  /// `logits` themselves where nothing changes them.
  std::span<const float> adjust(std::span<const float> logits, const TokenMask* mask);
  void keep_top_p();

  SamplingParams params_;
  std::unordered_map<TokenId, uint32_t> answer_counts_;  // of tokens in the answer
  std::unordered_map<TokenId, uint32_t> seen_;           // of tokens in prompt and answer
  std::vector<float> adjusted_;                          // [V]
  std::vector<Candidate> candidates_;
};

}  // namespace gossamer
