#include "kernels/cuda/choose_device.h"

namespace gossamer::kernels::cuda {

Result<DeviceInfo> choose_device(std::optional<int> index) {
  GOS_TRY(const std::vector<DeviceInfo> devices, list_devices());
  for (const DeviceInfo& device : devices) {
    if (index && device.index != *index) continue;
    const Status used = use_device(device.index);
    if (used.ok()) return device_in_use();
    if (index || device.index == devices.back().index) return used.error();
  }
  return make_error(ErrorCode::kNotFound, "there is no GPU {} that can be used; the first that can is {} ({})", *index,
                    devices.front().index, devices.front().name);
}

}  // namespace gossamer::kernels::cuda
