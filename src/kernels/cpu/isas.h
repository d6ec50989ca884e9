#pragma once

#include <vector>

#include "kernels/cpu/isa.h"

namespace gossamer::kernels {

/// The instruction sets that this processor and operating system offer, best first; none where there is only ref.
std::vector<const IsaKernels*> available_isas();

}  // namespace gossamer::kernels
