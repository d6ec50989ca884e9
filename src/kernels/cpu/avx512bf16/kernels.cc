/// The table of avx512bf16: avx512's, and attention over a bf16 cache with products of bf16, twice as many an
/// instruction as of float32.

#include "kernels/cpu/avx512/simd.h"
#include "kernels/cpu/isa.h"

namespace gossamer::kernels::avx512bf16 {
namespace {
using namespace avx512;
// clang-format off: each builds on the one before it
#include "kernels/cpu/exp-inl.h"
#include "kernels/cpu/attend_chunk-inl.h"
#include "kernels/cpu/avx512bf16/bf16_products-inl.h"
// clang-format on

void attend_chunk_rounded(const AttendArgs& args, const AttentionState& state) {
  attend_chunk_of<Bf16Products>(args, state);
}

}  // namespace

const IsaKernels& isa_kernels() {
  static const IsaKernels kKernels = [] {
    IsaKernels kernels = avx512::isa_kernels();
    kernels.name = "avx512bf16";
    kernels.attend_chunk_rounded = attend_chunk_rounded;
    return kernels;
  }();
  return kKernels;
}

}  // namespace gossamer::kernels::avx512bf16
