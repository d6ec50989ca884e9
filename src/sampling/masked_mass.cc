#include "sampling/masked_mass.h"

#include <algorithm>
#include <array>
#include <limits>

#include "kernels/exp_weights.h"

namespace gossamer {

double masked_mass(std::span<const float> logits, const TokenMask& mask) {
  constexpr size_t kWordTokens = 32;
  constexpr float kLeastExponent = -20.f;
  const float largest = kernels::largest_of(logits);
  if (largest == -std::numeric_limits<float>::infinity()) return 0;
  double forbidden = 0, all = 0;
  for (size_t word = 0; word * kWordTokens < logits.size(); ++word) {
    const auto of_word = logits.subspan(word * kWordTokens, std::min(kWordTokens, logits.size() - word * kWordTokens));
    std::array<float, kWordTokens> weights;
    const double sum = kernels::exp_weights(of_word, largest, 1.f, kLeastExponent, weights);
    all += sum;
    const uint32_t allowed = mask.words()[word];
    if (allowed == 0) forbidden += sum;
    if (allowed == 0 || allowed == 0xffffffffu) continue;
    for (size_t i = 0; i < of_word.size(); ++i)
      if (!(allowed >> i & 1u)) forbidden += weights[i];
  }
  return all > 0 ? std::min(1.0, forbidden / all) : 0;
}

}  // namespace gossamer
