#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/expert_use.h"

namespace gossamer {

/// By which instructions products on a GPU are added up, and in what order (Sums of kernels/cuda/step_ops.h).
enum class DeviceSums : uint8_t {
  kAuto,  ///< by warpgroups on a Hopper card that shows that its bits are those of all cards then, else as kPortable
  kPortable,  ///< as on every card
  kHopper,    ///< by warpgroups, whatever bits the card has then
  kOneRun,    ///< likewise with scales inside the weights, where they allow it: fastest for prompts, with other bits
};
/// "auto", "portable", "hopper" or "one-run".
Result<DeviceSums> parse_device_sums(std::string_view text);
std::string_view device_sums_name(DeviceSums sums);

/// What a model may take of a GPU's memory, and how it computes there. Experts that do not fit stay in the host's
/// memory, and are computed there.
struct DeviceLimits {
  uint64_t most_bytes = ~0ull;    ///< in all: weights, steps and cache
  uint64_t weight_bytes = ~0ull;  ///< of them for weights, where steps and cache leave more
  /// Of the experts in host memory: the processor's kernels (empty: the best), and whether they may be copied into the
  /// order that these like best.
  std::string host_backend = {};
  bool pack_host_experts = true;
  ExpertUseFile use = {};  ///< where it is kept which experts are chosen how often
  DeviceSums sums = DeviceSums::kPortable;
};

}  // namespace gossamer
