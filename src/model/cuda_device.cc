#include <fmt/format.h>

#include "model/device.h"
#include "model/device_forward.h"

namespace gossamer {

namespace {

/// The GPU of this number, or the first that can be used: another's may stand in front of it.
Result<kernels::cuda::DeviceInfo> use_one(int index) {
  GOS_TRY(const std::vector<kernels::cuda::DeviceInfo> devices, kernels::cuda::list_devices());
  for (const kernels::cuda::DeviceInfo& device : devices) {
    if (index != DeviceChoice::kFirst && device.index != index) continue;
    const Status used = kernels::cuda::use_device(device.index);
    if (used.ok()) return kernels::cuda::device_in_use();
    if (index != DeviceChoice::kFirst || device.index == devices.back().index) return used.error();
  }
  return make_error(ErrorCode::kNotFound, "there is no GPU {} that can be used; the first that can is {} ({})", index,
                    devices.front().index, devices.front().name);
}

}  // namespace

bool has_device_kernels() {
  return true;
}

Result<std::string> move_to_device(Model& model, int index, const DeviceBudget& budget, ThreadPool& threads,
                                   const ProgressFn& progress, DeviceLimits limits) {
  GOS_TRY(const kernels::cuda::DeviceInfo device, use_one(index));
  GOS_TRY(limits.most_bytes, budget.most_bytes(device.total_bytes, device.free_bytes));
  GOS_TRY(std::unique_ptr<DeviceForward> forward,
          DeviceForward::make(model.config(), model.weights(), model.rope_params(), threads, progress, limits));
  model.compute_on(std::move(forward));
  return fmt::format("{}, {:.0f} GB", device.name, static_cast<double>(device.total_bytes) / 1e9);
}

}  // namespace gossamer
