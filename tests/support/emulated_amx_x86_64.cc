#include "support/emulated_amx.h"

#define GOSSAMER_EMULATE_TILES
#include "kernels/cpu/amx/tile.h"
#include "kernels/cpu/avx512/int_simd.h"
#include "kernels/cpu/avx512/simd.h"
#include "kernels/cpu/isas.h"

namespace gossamer::kernels::emulated_amx {
namespace {
using namespace avx512;
using namespace amx;
#include "kernels/cpu/amx/amx-inl.h"
}  // namespace

const IsaKernels& isa_kernels() {
  static const IsaKernels kKernels = tile_table("amx");
  return kKernels;
}

bool tiles_work() {
  return tile_product_is_right();
}
}  // namespace gossamer::kernels::emulated_amx

namespace gossamer::testing {

const kernels::IsaKernels* emulated_amx_kernels() {
  for (const kernels::IsaKernels* isa : kernels::available_isas())
    if (isa->attend_chunk_rounded) return &kernels::emulated_amx::isa_kernels();
  return nullptr;
}

bool emulated_tiles_work() {
  return !emulated_amx_kernels() || kernels::emulated_amx::tiles_work();
}

}  // namespace gossamer::testing
