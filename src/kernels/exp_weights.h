#pragma once

#include <span>

namespace gossamer::kernels {

/// What is this much less likely than the likeliest, e^-40, is beyond the resolution of any draw.
inline constexpr float kLeastExponent = -40.f;

/// weights[i] = e^((logits[i] - largest) * scale) to within 3e-7 of itself; 0 where that exponent is below `least`
/// (kLeastExponent or above), for minus infinity and for NaN. `largest` is finite and no logit is above it; scale > 0.
/// Returns the sum of the weights, added up in an order that depends on nothing but their number: float in stretches
/// of 64, double over them.
///
/// A vocabulary has 200,000 logits for every token of every answer, so this is written in lanes that the compiler takes
/// several at a time, without instructions of one machine: it has the same bits on all of them. (std::exp one by one,
/// in double: five times as long.)
double exp_weights(std::span<const float> logits, float largest, float scale, float least, std::span<float> weights);

/// The largest logit; minus infinity where there is none. NaN counts as none.
float largest_of(std::span<const float> logits);

}  // namespace gossamer::kernels
