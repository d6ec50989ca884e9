/// In place of cuda_device.cc where the program is built without CUDA.

#include "model/device.h"

namespace gossamer {

bool has_device_kernels() {
  return false;
}

Result<std::string> move_to_device(Model& /*model*/, int /*index*/, const DeviceBudget& /*budget*/,
                                   ThreadPool& /*threads*/, const ProgressFn& /*progress*/, DeviceLimits /*limits*/) {
  return make_error(
      ErrorCode::kUnsupported,
      "this program was built without kernels for GPUs; in its clone run ./gossamer setup cuda, then ./gossamer "
      "builds it with them");
}

}  // namespace gossamer
