#include "kernels/cuda/launch.h"
#include "kernels/cuda/selftest/probes.h"

namespace gossamer::kernels::cuda {
namespace {

constexpr uint32_t kThreads = 256;

/// One warp.
__global__ void __launch_bounds__(32) mma_kernel(MmaProbe args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  const uint32_t lane = threadIdx.x;
  float sums[4] = {0, 0, 0, 0};
  for (uint32_t step = 0; step < args.num_steps; ++step) {
    uint32_t a[4];
    for (uint32_t i = 0; i < 4; ++i) a[i] = args.a[(step * 32 + lane) * 4 + i];
    const uint32_t* b = args.b + (step * 32 + lane) * 2;
    if (args.bf16)
      mma_bf16(sums, a, b[0], b[1]);
    else
      mma_f16(sums, a, b[0], b[1]);
  }
  for (uint32_t i = 0; i < 4; ++i) args.d[lane * 4 + i] = sums[i];
}

__global__ void __launch_bounds__(kThreads) function_kernel(FunctionProbe args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  const uint32_t i = blockIdx.x * kThreads + threadIdx.x;
  if (i >= args.count) return;
  args.exp2[i] = exp2_fast(args.x[i]);
  args.quotient[i] = divide_fast(args.x[i], args.y[i]);
  args.bf16[i] = pack_bf16(args.x[i], args.y[i]);
  args.f16[i] = pack_f16(args.x[i], args.y[i]);
}

}  // namespace

void probe_mma(const MmaProbe& args, Stream stream) {
  launch(mma_kernel, dim3(1), 32, 0, stream, args);
}

void probe_functions(const FunctionProbe& args, Stream stream) {
  if (args.count > 0) launch(function_kernel, dim3((args.count + kThreads - 1) / kThreads), kThreads, 0, stream, args);
}

}  // namespace gossamer::kernels::cuda
