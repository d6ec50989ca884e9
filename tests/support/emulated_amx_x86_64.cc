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
}  // namespace

const IsaKernels* kernels_on_tiles() {
  static const IsaKernels kKernels = tile_table("amx");
  return &kKernels;
}

bool tiles_are_right() {
  return tile_product_is_right();
}
}  // namespace gossamer::kernels::emulated_amx

namespace gossamer::testing {

const kernels::IsaKernels* emulated_amx_kernels() {
  return kernels::emulated_amx::kernels_on_tiles();
}

bool emulated_tiles_work() {
  return kernels::emulated_amx::tiles_are_right();
}

}  // namespace gossamer::testing
