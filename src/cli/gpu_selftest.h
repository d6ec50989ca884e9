#pragma once

#include <cstdio>
#include <functional>

#include "base/result.h"
#include "cli/gpu_part.h"
#include "kernels/cuda/selftest/checks.h"

namespace gossamer::cli {

/// Checks kernels and a made-up model on the device in use, by warpgroups last, and prints a line of each as it is
/// there. The part is not ok where one failed. `keep` (may be empty) is given the part as it stands after each check,
/// with the name of that one as "unfinished": a device may take the process along. Errors: `options.only` names no
/// check.
Result<GpuPart> gpu_selftest(const kernels::cuda::CheckOptions& options, std::FILE* out,
                             const std::function<void(json::object)>& keep = {});

}  // namespace gossamer::cli
