#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/token.h"
#include "kernels/top_logits.h"

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

/// From `logits` [V] (minus infinity: forbidden; NaN counts as forbidden). The sum runs in double in an order
/// that depends on the ids alone, so equal logits give equal bits.
Logprobs logprobs_of(std::span<const float> logits, TokenId chosen, uint32_t num_top);
/// The same from the best ones, unchanged, at least num_top of them or all there are, `chosen` among them.
Logprobs logprobs_of(const kernels::TopLogits& top, TokenId chosen, uint32_t num_top);
/// The same from the best ones, and the chosen one, unchanged, wherever it stands.
Logprobs logprobs_of(kernels::TopLogits top, const kernels::Candidate& chosen, uint32_t num_top);

}  // namespace gossamer
