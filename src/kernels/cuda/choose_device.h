#pragma once

#include <optional>

#include "kernels/cuda/runtime.h"

namespace gossamer::kernels::cuda {

/// Computes on this GPU from now on (use_device()), or without a number on the first that lets itself be used: one that
/// is another's may stand in front of it. What is free of its memory is as of now. Errors: list_devices()'s and
/// use_device()'s, and there is none of this number.
Result<DeviceInfo> choose_device(std::optional<int> index);

}  // namespace gossamer::kernels::cuda
