/// From a row of logits to the few that can be drawn: what is forbidden, the log of the sum, changes, the best k. One
/// block a row; no candidate is dropped before masks and changes have had their say.

#include "kernels/cuda/launch.h"
#include "kernels/cuda/row_select.h"

namespace gossamer::kernels::cuda {
namespace {

struct Shared {
  KeySearch search;
  DeviceCandidate found[kMostCandidates];
  double sums[kRowWarps];
  float largest[kRowWarps];
  uint32_t num_found;
};

__device__ __forceinline__ void forbid(const ChooseOp& args, const ChoiceRow& row, float* logits) {
  if (row.mask == ~0u) return;
  const uint32_t* mask = args.masks + uint64_t{row.mask} * ((args.vocab + 31) / 32);
  for (uint32_t token = threadIdx.x; token < args.vocab; token += kRowThreads)
    if (!(mask[token / 32] >> token % 32 & 1)) logits[token] = -INFINITY;
}

__device__ __forceinline__ float largest_of(const ChooseOp& args, const float* logits, Shared& shared) {
  float largest = -INFINITY;
  for (uint32_t token = threadIdx.x; token < args.vocab; token += kRowThreads) largest = fmaxf(largest, logits[token]);
  for (uint32_t mask = 16; mask > 0; mask /= 2) largest = fmaxf(largest, shuffle_xor(largest, mask));
  if (threadIdx.x % 32 == 0) shared.largest[threadIdx.x / 32] = largest;
  block_barrier();
  for (uint32_t warp = 0; warp < kRowWarps; ++warp) largest = fmaxf(largest, shared.largest[warp]);
  return largest;
}

__device__ __forceinline__ double log_sum_exp(const ChooseOp& args, const float* logits, float largest,
                                              Shared& shared) {
  double sum = 0;
  for (uint32_t token = threadIdx.x; token < args.vocab; token += kRowThreads)
    if (logits[token] > -INFINITY) sum += static_cast<double>(exp2_fast((logits[token] - largest) * 1.44269504f));
  for (uint32_t mask = 16; mask > 0; mask /= 2) sum += shuffle_xor(sum, mask);
  if (threadIdx.x % 32 == 0) shared.sums[threadIdx.x / 32] = sum;
  block_barrier();
  sum = 0;
  for (uint32_t warp = 0; warp < kRowWarps; ++warp) sum += shared.sums[warp];
  return static_cast<double>(largest) + log(sum);
}

__device__ __forceinline__ void change(const ChooseOp& args, const ChoiceRow& row, float* logits) {
  for (uint32_t i = threadIdx.x; i < row.num_changes; i += kRowThreads) {
    const LogitChangeOp& change = args.changes[row.first_change + i];
    logits[change.token] = changed_logit(change, logits[change.token]);
  }
}

/// Block: a row.
__global__ void __launch_bounds__(kRowThreads) choose_kernel(ChooseOp args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  Shared& shared = *static_cast<Shared*>(shared_memory());
  const ChoiceRow row = args.rows[blockIdx.x];
  float* logits = args.logits + uint64_t{blockIdx.x} * args.vocab;
  forbid(args, row, logits);
  block_barrier();
  if (row.wants_log_sum_exp) {
    const float largest = largest_of(args, logits, shared);
    const double sum = log_sum_exp(args, logits, largest, shared);
    if (threadIdx.x == 0) {
      args.largest[blockIdx.x] = largest;
      args.log_sum_exp[blockIdx.x] = sum;
    }
    block_barrier();
  }
  if (row.k == 0) return;
  change(args, row, logits);
  block_barrier();
  find_best(logits, args.vocab, row.k, shared.search, shared.found, &shared.num_found);
  const uint32_t num_found = shared.num_found;
  if (threadIdx.x == 0) args.num_best[blockIdx.x] = num_found;
  if (threadIdx.x >= num_found) return;
  const DeviceCandidate mine = shared.found[threadIdx.x];
  args.best[uint64_t{blockIdx.x} * args.max_k + rank_of(mine, shared.found, num_found)] = mine;
}

}  // namespace

void choose(const ChooseOp& args, Stream stream) {
  if (args.num_rows > 0) launch(choose_kernel, dim3(args.num_rows), kRowThreads, sizeof(Shared), stream, args);
}

}  // namespace gossamer::kernels::cuda
