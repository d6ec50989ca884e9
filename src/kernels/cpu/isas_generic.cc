#include "kernels/cpu/isas.h"

namespace gossamer::kernels {

std::vector<const IsaKernels*> available_isas() {
  return {};
}

}  // namespace gossamer::kernels
