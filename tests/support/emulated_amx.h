#pragma once

#include "kernels/cpu/isa.h"

namespace gossamer::testing {

/// AMX's table with tiles that are plain loops, for machines that have AVX-512 and no AMX.
const kernels::IsaKernels& emulated_amx_kernels();

}  // namespace gossamer::testing
