#pragma once

#include <string>

#include "model/expert_use.h"

namespace gossamer {

/// What a model may take of a GPU's memory. Experts that do not fit stay in the host's memory, and are computed there.
struct DeviceLimits {
  uint64_t most_bytes = ~0ull;    ///< in all: weights, steps and cache
  uint64_t weight_bytes = ~0ull;  ///< of them for weights, where steps and cache leave more
  /// Of the experts in host memory: the processor's kernels (empty: the best), and whether they may be copied into the
  /// order that these like best.
  std::string host_backend = {};
  bool pack_host_experts = true;
  ExpertUseFile use = {};  ///< where it is kept which experts are chosen how often
};

}  // namespace gossamer
