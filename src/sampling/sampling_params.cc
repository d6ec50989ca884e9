#include "sampling/sampling_params.h"

#include <cmath>

namespace gossamer {
namespace {

/// `low <= value <= high` (low itself only where `with_low`), and a number.
Status in_range(const char* name, float value, float low, float high, bool with_low = true) {
  if (std::isfinite(value) && value <= high && (with_low ? value >= low : value > low)) return {};
  return make_error(ErrorCode::kInvalidInput, "{} is {}, but must be {} {} and at most {}", name, value,
                    with_low ? "at least" : "above", low, high);
}

}  // namespace

Status SamplingParams::validate() const {
  GOS_TRY_STATUS(in_range("temperature", temperature, 0.f, 100.f));
  GOS_TRY_STATUS(in_range("top_p", top_p, 0.f, 1.f, false));
  GOS_TRY_STATUS(in_range("min_p", min_p, 0.f, 1.f));
  GOS_TRY_STATUS(in_range("repetition_penalty", repetition_penalty, 0.f, 100.f, false));
  GOS_TRY_STATUS(in_range("presence_penalty", presence_penalty, -2.f, 2.f));
  GOS_TRY_STATUS(in_range("frequency_penalty", frequency_penalty, -2.f, 2.f));
  for (const auto& [token, bias] : logit_bias)
    if (!std::isfinite(bias))
      return make_error(ErrorCode::kInvalidInput, "the logit bias of token {} is {}, but must be a finite number",
                        token, bias);
  return {};
}

}  // namespace gossamer
