#pragma once

#include <cstdio>

#include "base/result.h"
#include "cli/gpu_part.h"
#include "kernels/cuda/roof.h"

namespace gossamer::cli {

/// Measures what the device in use can do at most and prints each figure as it is there. Of the part's numbers others
/// take shares: read_gb_per_s, copy_gb_per_s, f16_mma_tflop_per_s, bf16_mma_tflop_per_s, launch_us, host_exchange_us
/// and, where there are such, graph_launch_us and overlapped_launch_us; `roofs` has every figure with its spread. The
/// part is not ok where one could not be measured, and `errors` says why.
Result<GpuPart> gpu_roof(std::FILE* out);
/// The same with other sizes.
Result<GpuPart> gpu_roof(const kernels::cuda::RoofOptions& options, std::FILE* out);

}  // namespace gossamer::cli
