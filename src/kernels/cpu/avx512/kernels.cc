/// The table of avx512: its simd.h under the loops that all instruction sets share.

#include "kernels/cpu/avx512/int_simd.h"
#include "kernels/cpu/avx512/simd.h"
#include "kernels/cpu/isa.h"

namespace gossamer::kernels::avx512 {
namespace {
// clang-format off: each builds on those before it
#include "kernels/cpu/readers-inl.h"
#include "kernels/cpu/gemm-inl.h"
#include "kernels/cpu/panels-inl.h"
#include "kernels/cpu/int_gemm-inl.h"
#include "kernels/cpu/elementwise-inl.h"
#include "kernels/cpu/attend-inl.h"
// clang-format on
}  // namespace

const IsaKernels& isa_kernels() {
  static constexpr IsaKernels kKernels = {
      .name = "avx512",
      .takes_gemm = takes_gemm,
      .gemm = gemm,
      .takes_integers = takes_integers,
      .quantize = quantize,
      .int_gemm = int_gemm,
      .int_scratch_bytes = int_scratch_bytes,
      .panel_rows = kPanelLanes,
      .packed_panel_bytes = packed_panel_bytes,
      .pack_panel = pack_panel,
      .takes_attend = takes_attend,
      .attend_chunk = attend_chunk,
      .merge_attention = merge_attention,
      .swiglu = swiglu,
      .rmsnorm = rmsnorm,
      .add_weighted = add_weighted,
  };
  return kKernels;
}

}  // namespace gossamer::kernels::avx512
