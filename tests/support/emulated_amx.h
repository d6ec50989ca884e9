#pragma once

#include "kernels/cpu/isa.h"

namespace gossamer::testing {

/// AMX's table with tiles that are plain loops, for machines that have AVX-512 with bf16 and no AMX; null on others.
const kernels::IsaKernels* emulated_amx_kernels();
/// Whether the check of a machine's tiles finds these in order.
bool emulated_tiles_work();

}  // namespace gossamer::testing
