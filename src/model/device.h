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
  int index = 0;  ///< of the GPU, as the driver counts

  /// "auto", "cpu", "cuda" or "cuda:N".
  static Result<DeviceChoice> parse(std::string_view text);
};

/// Whether this program has kernels for GPUs.
bool has_device_kernels();

/// Puts the model's weights on the GPU and lets it compute there from now on; gives the GPU's name. Errors, and the
/// model computes where it did: there is none, it takes no such model, its memory or the limits are too small.
Result<std::string> move_to_device(Model& model, int index, ThreadPool& threads, const ProgressFn& progress,
                                   const DeviceLimits& limits = {});

}  // namespace gossamer
