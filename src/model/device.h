#pragma once

#include <string>
#include <string_view>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "model/device_limits.h"
#include "model/model.h"

namespace gossamer {

/// Where a model is to compute. kAuto: on the first GPU where there is one and it takes the model, else on the CPU.
struct DeviceChoice {
  enum class Kind : uint8_t { kAuto, kCpu, kCuda };
  Kind kind = Kind::kAuto;
  int index = kFirst;                ///< of the GPU, as the driver counts
  static constexpr int kFirst = -1;  ///< the first that this program can use

  /// "auto", "cpu", "cuda", "cuda:N" or "N".
  static Result<DeviceChoice> parse(std::string_view text);
};

/// How much of a GPU's memory this program may take: a share of all of it, or so many bytes.
struct DeviceBudget {
  static constexpr double kUsualShare = 0.9;
  double share = kUsualShare;
  uint64_t bytes = 0;  ///< instead, where not 0

  /// What may be taken on a GPU; a share never more than is free. Errors: the GPU has not so many bytes, or they are
  /// not free.
  Result<uint64_t> most_bytes(uint64_t total_bytes, uint64_t free_bytes) const;
};

/// Whether this program has kernels for GPUs.
bool has_device_kernels();

/// Puts the model's weights on the GPU (an index, or DeviceChoice::kFirst) and lets it compute there from now on; gives
/// the GPU's name. Errors, and the model computes where it did: there is none, it takes no such model, its memory or
/// the budget is too small.
Result<std::string> move_to_device(Model& model, int index, const DeviceBudget& budget, ThreadPool& threads,
                                   const ProgressFn& progress, DeviceLimits limits = {});

}  // namespace gossamer
