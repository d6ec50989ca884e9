#pragma once
/// How fast each kernel of a step is alone, at a model's shapes: what DeviceForward starts, in the same way, one after
/// the other. Weights and caches rotate through more memory than the device's cache holds; activations are where the
/// kernel before would have left them.

#include <functional>
#include <string>

#include "checkpoint/model_config.h"
#include "model/step_cost.h"

namespace gossamer {

struct KernelRatesOptions {
  std::vector<uint32_t> rows = {1, 8, 64, 512};  ///< tokens of a step, each of a sequence of its own
  uint32_t context = 1024;                       ///< of attention
  kernels::KvDtype kv_dtype = kernels::KvDtype::kBf16;
  uint64_t cache_bytes = 0;         ///< of the device's cache (L2)
  double seconds_of_figure = 0.05;  ///< of launches that count
  double seconds = 120;             ///< of all: what comes later is left out
  std::string only;                 ///< kernels whose name contains it; empty: all
};

struct KernelRate {
  std::string name;  ///< "qkv", "attention, window"
  uint32_t rows = 0;
  double seconds = 0;  ///< of one launch, or of the launches that belong together: median over series of them
  uint32_t runs = 0;   ///< launches that were timed
  double bytes = 0, flops = 0;
  double limit_seconds = 0;  ///< what the roof allows; 0: not known

  double of_limit() const { return limit_seconds / seconds; }
};

/// `on_rate` gets each figure as it is there, and ends the measurement where it gives false. Errors: no memory on the
/// device, or it failed.
Status measure_kernel_rates(const ModelConfig& config, const SyntheticModel& model, const DeviceRoof& roof,
                            const KernelRatesOptions& options, const std::function<bool(const KernelRate&)>& on_rate);

}  // namespace gossamer
