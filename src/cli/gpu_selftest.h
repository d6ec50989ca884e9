#pragma once

#include <cstdio>

#include "base/result.h"
#include "cli/gpu_part.h"
#include "kernels/cuda/selftest/checks.h"

namespace gossamer::cli {

/// Checks kernels and a made-up model on the device in use and prints a line of each as it is there. The part is not
/// ok where one failed. Errors: `options.only` names no check.
Result<GpuPart> gpu_selftest(const kernels::cuda::CheckOptions& options, std::FILE* out);

}  // namespace gossamer::cli
