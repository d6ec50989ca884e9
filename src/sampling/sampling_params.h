#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/token.h"

namespace gossamer {

/// How the next token is chosen from the logits. Applied in this order: logit bias, penalties, (mask), temperature,
/// top-k, top-p, min-p. temperature 0 is greedy: the largest logit, the lowest id among equals.
struct SamplingParams {
  float temperature = 1.f;         // >= 0
  uint32_t top_k = 0;              // 0: no limit
  float top_p = 1.f;               // (0, 1]
  float min_p = 0.f;               // [0, 1]: drops tokens less likely than min_p times the likeliest
  float repetition_penalty = 1.f;  // > 0, over prompt and answer: logit / p where positive, * p where negative (CTRL)
  float presence_penalty = 0.f;    // [-2, 2], over the answer (OpenAI)
  float frequency_penalty = 0.f;   // [-2, 2], times the count in the answer
  std::vector<std::pair<TokenId, float>> logit_bias;  // added to the logit
  uint64_t seed = 0;
  uint32_t choice_index = 0;  // which of n answers; another random stream

  /// Errors: a value out of the range above; the sentence names it.
  Status validate() const;
};

}  // namespace gossamer
