/// The table of amx: the surfaces of AVX-512 and tiles under the loops that all instruction sets share.

#include "kernels/cpu/amx/tile.h"
#include "kernels/cpu/avx512/int_simd.h"
#include "kernels/cpu/avx512/simd.h"
#include "kernels/cpu/isa.h"

namespace gossamer::kernels::amx {
namespace {
using namespace avx512;
#include "kernels/cpu/amx/amx-inl.h"
}  // namespace

const IsaKernels& isa_kernels() {
  static const IsaKernels kKernels = tile_table("amx");
  return kKernels;
}

bool tiles_work() {
  return tile_product_is_right();
}

}  // namespace gossamer::kernels::amx
