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
#include "kernels/cpu/exp-inl.h"
#include "kernels/cpu/elementwise-inl.h"
#include "kernels/cpu/attend_chunk-inl.h"
#include "kernels/cpu/attend-inl.h"
#include "kernels/cpu/peak-inl.h"
#include "kernels/cpu/table-inl.h"
// clang-format on
}  // namespace

const IsaKernels& isa_kernels() {
  static constexpr IsaKernels kKernels = table("avx512");
  return kKernels;
}

}  // namespace gossamer::kernels::avx512
