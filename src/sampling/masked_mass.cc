#include "sampling/masked_mass.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gossamer {

double masked_mass(std::span<const float> logits, const TokenMask& mask) {
  float largest = -std::numeric_limits<float>::infinity();
  for (float logit : logits) largest = logit > largest ? logit : largest;
  const float cut = largest - 20.f;
  double forbidden = 0;
  mask.for_each_forbidden([&](TokenId token) {
    if (logits[token] >= cut) forbidden += std::exp(logits[token] - largest);
  });
  if (forbidden == 0) return 0;  // nearly always: the sum over all is not needed
  double all = 0;
  for (float logit : logits)
    if (logit >= cut) all += std::exp(logit - largest);
  return std::min(1.0, forbidden / all);
}

}  // namespace gossamer
