#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/token.h"

namespace gossamer {

struct TokenLogprob {
  TokenId token = 0;
  float logprob = 0;
};

/// What the model itself thought of a token and of the likeliest ones: before bias, penalties and temperature, as
/// OpenAI's API defines it.
struct Logprobs {
  float chosen = 0;
  std::vector<TokenLogprob> top;  ///< the likeliest first, the lower id among equals
};

/// log(sum of e^logit) over `logits` [V], in double in the order of the ids; minus infinity and NaN add nothing.
double log_sum_exp(std::span<const float> logits);

/// From `logits` [V] (minus infinity: forbidden; NaN counts as forbidden). The sum runs in double in the order of the
/// ids, so equal logits give equal bits.
Logprobs logprobs_of(std::span<const float> logits, TokenId chosen, uint32_t num_top);

}  // namespace gossamer
