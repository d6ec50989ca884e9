#include "support/emulated_amx.h"

namespace gossamer::testing {

const kernels::IsaKernels* emulated_amx_kernels() {
  return nullptr;
}

bool emulated_tiles_work() {
  return false;
}

}  // namespace gossamer::testing
