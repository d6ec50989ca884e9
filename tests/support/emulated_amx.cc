#include "support/emulated_amx.h"

#define GOSSAMER_EMULATE_TILES
#include "kernels/cpu/amx/tile.h"
#include "kernels/cpu/avx512/int_simd.h"
#include "kernels/cpu/avx512/simd.h"

namespace gossamer::kernels::emulated_amx {
namespace {
using namespace avx512;
using namespace amx;
#include "kernels/cpu/amx/amx-inl.h"
constexpr IsaKernels kKernels = tile_table("amx");
}  // namespace
const IsaKernels& isa_kernels() {
  return kKernels;
}
}  // namespace gossamer::kernels::emulated_amx

namespace gossamer::testing {

const kernels::IsaKernels& emulated_amx_kernels() {
  return kernels::emulated_amx::isa_kernels();
}

}  // namespace gossamer::testing
