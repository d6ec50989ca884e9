#include "sampling/logprobs.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gossamer {

double log_sum_exp(std::span<const float> logits) {
  float largest = -std::numeric_limits<float>::infinity();
  for (float logit : logits)
    if (logit > largest) largest = logit;
  double sum = 0;
  for (float logit : logits)
    if (logit > -std::numeric_limits<float>::infinity()) sum += std::exp(static_cast<double>(logit) - largest);
  return largest + std::log(sum);
}

Logprobs logprobs_of(std::span<const float> logits, TokenId chosen, uint32_t num_top) {
  const double total = log_sum_exp(logits);
  const auto logprob = [&](TokenId token) { return static_cast<float>(logits[token] - total); };
  Logprobs result;
  result.chosen = logprob(chosen);
  std::vector<TokenId> likeliest;
  likeliest.reserve(logits.size());
  for (TokenId token = 0; token < logits.size(); ++token)
    if (logits[token] > -std::numeric_limits<float>::infinity()) likeliest.push_back(token);
  const auto end = likeliest.begin() + std::min<ptrdiff_t>(num_top, std::ssize(likeliest));
  std::partial_sort(likeliest.begin(), end, likeliest.end(),
                    [&](TokenId a, TokenId b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; });
  for (auto token = likeliest.begin(); token != end; ++token) result.top.push_back({*token, logprob(*token)});
  return result;
}

}  // namespace gossamer
