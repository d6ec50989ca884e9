/// The table of amx: AVX-512's surfaces and tiles under the loops that all instruction sets share.

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
  static constexpr IsaKernels kKernels = tile_table("amx");
  return kKernels;
}

}  // namespace gossamer::kernels::amx
