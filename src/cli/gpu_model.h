#pragma once

#include "cli/gpu_card.h"
#include "cli/gpu_options.h"
#include "cli/gpu_part.h"

namespace gossamer::cli {

/// Errors: the model that was asked for is larger than what is free on the card in use.
Status check_fits(const GpuOptions& options);

/// Makes a model of full size on the card and times it; prints each figure as it is there. Ctrl-C ends it with those
/// that are. Errors: the model does not fit, the device failed.
Result<GpuPart> gpu_model(const GpuOptions& options, const GpuCard& card, const DeviceRoof& roof);

/// Times each kernel alone, likewise.
Result<GpuPart> gpu_bench(const GpuOptions& options, const GpuCard& card, const DeviceRoof& roof);

/// "20b", "120b zipf q8_0": under which name a report has it.
std::string model_name(const GpuOptions& options);

}  // namespace gossamer::cli
