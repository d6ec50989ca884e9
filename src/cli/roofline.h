#pragma once

#include <string>
#include <vector>

#include "checkpoint/model_config.h"
#include "engine/model_rates.h"

namespace gossamer::cli {

/// What this machine can do, measured by itself.
struct MachineLimits {
  double memory_bytes_per_s = 0;  ///< read from memory as the weights lie in it: in huge pages, or in a mapped file
  kernels::ArithmeticLimits arithmetic;
};

/// One kind of work of a figure, per token.
struct StageRow {
  std::string name;  ///< "experts", "lm_head", "attention, window"
  double seconds = 0, bytes = 0, flops = 0;
  double limit_seconds = 0;  ///< the larger of bytes and operations at the limits; 0: neither was counted
};

/// A figure against what the machine could do.
struct Roofline {
  std::vector<StageRow> stages;   ///< the longest first
  double bytes = 0, flops = 0;    ///< per token
  double limit_tokens_per_s = 0;  ///< if every stage ran at its limit
};

Roofline make_roofline(const ModelRate& rate, const ModelConfig& config, const MachineLimits& limits);

}  // namespace gossamer::cli
