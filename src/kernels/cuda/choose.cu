/// From a row of logits to the few that can be drawn: what is forbidden, the log of the sum, changes, the best k. One
/// block a row; no candidate is dropped before masks and changes have had their say.

#include "kernels/cuda/launch.h"
#include "kernels/cuda/reduce.h"

namespace gossamer::kernels::cuda {
namespace {

constexpr uint32_t kThreads = 1024;
constexpr uint32_t kWarps = kThreads / 32;
constexpr uint32_t kDigits = 256;

struct Shared {
  uint32_t counts[kDigits];
  DeviceCandidate found[kMostCandidates];
  double sums[kWarps];
  float largest[kWarps];
  uint32_t of_warps[kWarps];
  uint32_t num_found;
  uint32_t digit, wanted;  // of the pass at hand
};

/// Larger numbers have larger keys; minus infinity and NaN have 0, which nobody looks for.
__device__ __forceinline__ uint32_t key_of(float logit) {
  if (!(logit > -INFINITY)) return 0;
  const uint32_t bits = float_to_bits(logit);
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}

__device__ __forceinline__ void forbid(const ChooseOp& args, const ChoiceRow& row, float* logits) {
  if (row.mask == ~0u) return;
  const uint32_t* mask = args.masks + uint64_t{row.mask} * ((args.vocab + 31) / 32);
  for (uint32_t token = threadIdx.x; token < args.vocab; token += kThreads)
    if (!(mask[token / 32] >> token % 32 & 1)) logits[token] = -INFINITY;
}

__device__ __forceinline__ double log_sum_exp(const ChooseOp& args, const float* logits, Shared& shared) {
  float largest = -INFINITY;
  for (uint32_t token = threadIdx.x; token < args.vocab; token += kThreads) largest = fmaxf(largest, logits[token]);
  for (uint32_t mask = 16; mask > 0; mask /= 2) largest = fmaxf(largest, shuffle_xor(largest, mask));
  if (threadIdx.x % 32 == 0) shared.largest[threadIdx.x / 32] = largest;
  block_barrier();
  for (uint32_t warp = 0; warp < kWarps; ++warp) largest = fmaxf(largest, shared.largest[warp]);
  double sum = 0;
  for (uint32_t token = threadIdx.x; token < args.vocab; token += kThreads)
    if (logits[token] > -INFINITY) sum += static_cast<double>(exp2_fast((logits[token] - largest) * 1.44269504f));
  for (uint32_t mask = 16; mask > 0; mask /= 2) sum += shuffle_xor(sum, mask);
  if (threadIdx.x % 32 == 0) shared.sums[threadIdx.x / 32] = sum;
  block_barrier();
  sum = 0;
  for (uint32_t warp = 0; warp < kWarps; ++warp) sum += shared.sums[warp];
  return static_cast<double>(largest) + log(sum);
}

__device__ __forceinline__ void change(const ChooseOp& args, const ChoiceRow& row, float* logits) {
  for (uint32_t i = threadIdx.x; i < row.num_changes; i += kThreads) {
    const LogitChangeOp& change = args.changes[row.first_change + i];
    float logit = logits[change.token] + change.bias;
    logit *= logit > 0 ? 1.f / change.repetition : change.repetition;
    logits[change.token] = logit - change.penalty;
  }
}

/// The key of the k-th largest, digit by digit from the highest; shared.wanted: how many of that very key are among
/// the best. With fewer than k candidates the key is 1: all of them.
__device__ __forceinline__ uint32_t threshold_key(const ChooseOp& args, uint32_t k, const float* logits,
                                                  Shared& shared) {
  uint32_t key = 0, wanted = k;
  for (uint32_t shift = 24;; shift -= 8) {
    for (uint32_t i = threadIdx.x; i < kDigits; i += kThreads) shared.counts[i] = 0;
    block_barrier();
    for (uint32_t token = threadIdx.x; token < args.vocab; token += kThreads) {
      const uint32_t of_token = key_of(logits[token]);
      const bool matches = shift == 24 || of_token >> (shift + 8) == key >> (shift + 8);
      if (of_token != 0 && matches) add_atomic(&shared.counts[of_token >> shift & 255u], 1);
    }
    block_barrier();
    if (threadIdx.x == 0) {
      uint32_t digit = kDigits, left = wanted;
      while (digit > 0 && shared.counts[digit - 1] < left) left -= shared.counts[--digit];
      shared.digit = digit;  // one too high; 0: there are fewer than wanted
      shared.wanted = left;
    }
    block_barrier();
    const uint32_t digit = shared.digit;
    wanted = shared.wanted;
    if (digit == 0) {
      shared.wanted = k;
      return 1;
    }
    key |= (digit - 1) << shift;
    if (shift == 0) return key;
  }
}

/// Puts the best into shared.found: all above the key, and of those that have it the first `wanted`.
__device__ __forceinline__ void collect(const ChooseOp& args, uint32_t key, uint32_t wanted, const float* logits,
                                        Shared& shared) {
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  if (threadIdx.x == 0) shared.num_found = 0;
  block_barrier();
  uint32_t equal_before = 0;
  for (uint32_t first = 0; first < args.vocab; first += kThreads) {
    const uint32_t token = first + threadIdx.x;
    const float logit = token < args.vocab ? logits[token] : -INFINITY;
    const uint32_t of_token = key_of(logit);
    const bool is_equal = of_token == key;
    const uint32_t votes = warp_ballot(is_equal);
    if (lane == 0) shared.of_warps[warp] = count_bits(votes);
    block_barrier();
    uint32_t place = equal_before + count_bits(votes & ((1u << lane) - 1));
    for (uint32_t w = 0; w < kWarps; ++w) {
      place += w < warp ? shared.of_warps[w] : 0;
      equal_before += shared.of_warps[w];
    }
    if (of_token > key || (is_equal && place < wanted)) shared.found[add_atomic(&shared.num_found, 1)] = {token, logit};
    block_barrier();
  }
}

/// Block: a row.
__global__ void __launch_bounds__(kThreads) choose_kernel(ChooseOp args) {
  wait_for_kernels_before();
  let_next_kernel_begin();
  Shared& shared = *static_cast<Shared*>(shared_memory());
  const ChoiceRow row = args.rows[blockIdx.x];
  float* logits = args.logits + uint64_t{blockIdx.x} * args.vocab;
  forbid(args, row, logits);
  block_barrier();
  if (row.k == 0) return;
  if (row.wants_log_sum_exp) {
    const double sum = log_sum_exp(args, logits, shared);
    if (threadIdx.x == 0) args.log_sum_exp[blockIdx.x] = sum;
    block_barrier();
  }
  change(args, row, logits);
  block_barrier();
  const uint32_t key = threshold_key(args, row.k, logits, shared), wanted = shared.wanted;
  collect(args, key, wanted, logits, shared);
  const uint32_t num_found = shared.num_found;
  if (threadIdx.x == 0) args.num_best[blockIdx.x] = num_found;
  if (threadIdx.x >= num_found) return;
  const DeviceCandidate mine = shared.found[threadIdx.x];
  uint32_t rank = 0;
  for (uint32_t i = 0; i < num_found; ++i) {
    const DeviceCandidate other = shared.found[i];
    rank += other.logit > mine.logit || (other.logit == mine.logit && other.token < mine.token);
  }
  args.best[uint64_t{blockIdx.x} * args.max_k + rank] = mine;
}

}  // namespace

void choose(const ChooseOp& args, Stream stream) {
  if (args.num_rows > 0) launch(choose_kernel, dim3(args.num_rows), kThreads, sizeof(Shared), stream, args);
}

}  // namespace gossamer::kernels::cuda
