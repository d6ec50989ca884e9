/// What goes to and fro in a layer of which the host computes some experts, in steps of few tokens: kernels write to
/// and read from pinned memory of the host themselves. A copy each would take the same way with a start of its own, and
/// its size would have to be known before the router's choices are.

#include "kernels/cuda/launch.h"

namespace gossamer::kernels::cuda {
namespace {

constexpr uint32_t kThreads = 256;
constexpr uint32_t kRowThreads = 1024;

/// One block, so that a barrier is all that the flag waits for: 46 KB at most.
__global__ void __launch_bounds__(kRowThreads) tell_host_kernel(TellHostOp args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  const uint32_t chunks = args.num_tokens * (args.stride / 8);
  for (uint32_t i = threadIdx.x; i < chunks; i += kRowThreads)
    reinterpret_cast<uint4*>(args.host_normed)[i] = reinterpret_cast<const uint4*>(args.normed)[i];
  for (uint32_t i = threadIdx.x; i < args.num_slots; i += kRowThreads) args.host_choices[i] = args.choices[i];
  block_barrier();
  if (threadIdx.x == 0) raise_flag(args.flag);
}

/// Sums in the order of combine_experts(), and its bits for the same rows.
__global__ void __launch_bounds__(kThreads) combine_with_host_kernel(CombineOp args, HostRows host) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  const uint32_t token = blockIdx.x, i = blockIdx.y * kThreads + threadIdx.x, first = *host.first_place;
  if (i >= args.width) return;
  float& residual = args.residual[uint64_t{token} * args.width + i];
  float sum = residual;
  for (uint32_t choice = 0; choice < args.active; ++choice) {
    const uint32_t slot = token * args.active + choice, place = args.place_of_slot[slot];
    const float* row = place < first ? args.contracted + uint64_t{place} * args.width
                                     : host.rows + uint64_t{place - first} * args.width;
    sum = fmaf(args.weights[slot], row[i], sum);
  }
  residual = sum;
}

}  // namespace

void tell_host(const TellHostOp& args, Stream stream) {
  launch(tell_host_kernel, dim3(1), kRowThreads, 0, stream, args);
}

void combine_with_host(const CombineOp& args, const HostRows& host, Stream stream) {
  launch(combine_with_host_kernel, dim3(args.num_tokens, (args.width + kThreads - 1) / kThreads), kThreads, 0, stream,
         args, host);
}

}  // namespace gossamer::kernels::cuda
