#pragma once

#include <span>

#include "base/token_mask.h"

namespace gossamer {

/// The probability (0 to 1) that `logits` [V] give to the tokens that `mask` forbids, at temperature 1. Tokens e^-20
/// times as likely as the likeliest count as nothing. Minus infinity and NaN have no probability.
double masked_mass(std::span<const float> logits, const TokenMask& mask);

}  // namespace gossamer
