#pragma once

#include <cstdint>

#include "synthetic/planned_file.h"
#include "synthetic/preset.h"

namespace gossamer::synthetic {

/// A model as one GGUF file in the form of the published ones: MXFP4 experts, Q8_0 matrices, F32 for the rest, and the
/// vocabulary.
PlannedFile plan_gguf(const Preset& preset, uint64_t seed);

}  // namespace gossamer::synthetic
