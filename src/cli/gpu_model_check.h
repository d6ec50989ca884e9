#pragma once

#include <functional>
#include <vector>

#include "kernels/cuda/selftest/checks.h"
#include "model/device_limits.h"

namespace gossamer::cli {

/// A made-up model of two layers on the device in use: against the CPU, and the same bits in any company. Small shapes
/// with options.quick, else also those of the published models (1.2 GB of a temporary folder for as long as it takes).
/// `told` (may be empty) after each check. With products by warpgroups, which the device must have then, the largest of
/// them against the CPU alone.
std::vector<kernels::cuda::CheckOutcome> check_models(
    const kernels::cuda::CheckOptions& options, const std::function<void(const kernels::cuda::CheckOutcome&)>& told,
    DeviceSums sums = DeviceSums::kPortable);

}  // namespace gossamer::cli
