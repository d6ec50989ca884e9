#pragma once

#include <optional>
#include <string>
#include <vector>

#include "checkpoint/model_config.h"
#include "engine/model_rates.h"

namespace gossamer::cli {

/// What this machine can do, measured by itself.
struct MachineLimits {
  /// Read from memory as the weights lie in it, in huge pages or in a mapped file. 0: not known, or the weights stay
  /// in caches; then nothing has a limit.
  double memory_bytes_per_s = 0;
  kernels::ArithmeticLimits arithmetic;
};

/// One kind of work of a figure, per token.
struct StageRow {
  std::string name;  ///< "experts", "lm_head", "attention, window"
  double seconds = 0, bytes = 0, flops = 0;
  double limit_seconds = 0;  ///< the larger of bytes and operations at the limits; 0: there is none

  /// Which share of the limit it reached, 1 is all; nothing where there is none.
  std::optional<double> of_limit() const;
};

/// A figure against what the machine could do.
struct Roofline {
  std::vector<StageRow> stages;   ///< the longest first
  double bytes = 0, flops = 0;    ///< per token
  double limit_tokens_per_s = 0;  ///< if every stage ran at its limit; 0: there is none

  /// Which share of it `tokens_per_s` are; nothing where there is none.
  std::optional<double> of_limit(double tokens_per_s) const;
};

Roofline make_roofline(const ModelRate& rate, const ModelConfig& config, const MachineLimits& limits);

}  // namespace gossamer::cli
