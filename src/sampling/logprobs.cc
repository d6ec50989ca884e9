#include "sampling/logprobs.h"

#include <algorithm>
#include <cmath>

namespace gossamer {

Logprobs logprobs_of(std::span<const float> logits, TokenId chosen, uint32_t num_top) {
  kernels::TopCollector collector;
  collector.reset(std::max(1u, num_top));
  collector.add(0, logits);
  kernels::TopLogits top;
  top.best = kernels::best_of({collector.candidates().begin(), collector.candidates().end()}, num_top);
  top.log_sum_exp = kernels::log_sum_exp(logits);
  return logprobs_of(std::move(top), kernels::Candidate{chosen, logits[chosen]}, num_top);
}

Logprobs logprobs_of(kernels::TopLogits top, const kernels::Candidate& chosen, uint32_t num_top) {
  num_top = std::min(num_top, static_cast<uint32_t>(top.best.size()));
  top.best.push_back(chosen);
  return logprobs_of(top, chosen.token, num_top);
}

Logprobs logprobs_of(const kernels::TopLogits& top, TokenId chosen, uint32_t num_top) {
  const auto logprob = [&](const kernels::Candidate& c) { return static_cast<float>(c.logit - top.log_sum_exp); };
  Logprobs result;
  for (size_t i = 0; i < top.best.size(); ++i) {
    if (top.best[i].token == chosen) result.chosen = logprob(top.best[i]);
    if (i < num_top) result.top.push_back({top.best[i].token, logprob(top.best[i])});
  }
  return result;
}

}  // namespace gossamer
