#include <fmt/format.h>

#include "kernels/cuda/choose_device.h"
#include "model/device.h"
#include "model/device_forward.h"

namespace gossamer {

bool has_device_kernels() {
  return true;
}

Result<std::string> move_to_device(Model& model, int index, const DeviceBudget& budget, ThreadPool& threads,
                                   const ProgressFn& progress, DeviceLimits limits) {
  const auto named = index == DeviceChoice::kFirst ? std::nullopt : std::optional(index);
  GOS_TRY(const kernels::cuda::DeviceInfo device, kernels::cuda::choose_device(named));
  GOS_TRY(limits.most_bytes, budget.most_bytes(device.total_bytes, device.free_bytes));
  GOS_TRY(std::unique_ptr<DeviceForward> forward,
          DeviceForward::make(model.config(), model.weights(), model.rope_params(), threads, progress, limits));
  model.compute_on(std::move(forward));
  return fmt::format("{}, {:.0f} GB", device.name, static_cast<double>(device.total_bytes) / 1e9);
}

}  // namespace gossamer
