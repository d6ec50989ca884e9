#pragma once

#include "kernels/cpu/isa.h"

namespace gossamer::testing {

// Compiled for AVX-512 with bf16: to be called only where the machine has the backend avx512bf16.

/// AMX's table with tiles that are plain loops; null where the processor is of another kind.
const kernels::IsaKernels* emulated_amx_kernels();
/// Whether the check of a machine's tiles finds these in order.
bool emulated_tiles_work();

}  // namespace gossamer::testing
