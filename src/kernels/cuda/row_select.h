#pragma once
/// One block and a row of logits: the order of candidates as integers, and the k-th of them without a sort.

#include "kernels/cuda/device.h"
#include "kernels/cuda/step_ops.h"

namespace gossamer::kernels::cuda {

inline constexpr uint32_t kRowThreads = 1024;
inline constexpr uint32_t kRowWarps = kRowThreads / 32;
inline constexpr uint32_t kDigits = 256;

/// Larger numbers have larger keys, equal ones (both zeros) the same; minus infinity and NaN have 0, which nobody looks
/// for.
__device__ __forceinline__ uint32_t key_of(float logit) {
  if (!(logit > -INFINITY)) return 0;
  const uint32_t bits = float_to_bits(logit == 0 ? 0.f : logit);
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}
__device__ __forceinline__ float logit_of(uint32_t key) {
  return bits_to_float(key >> 31 ? key & 0x7fffffffu : ~key);
}

/// LogitChange::apply() with its bits.
__device__ __forceinline__ float changed_logit(const LogitChangeOp& change, float logit) {
  logit = add_exact(logit, change.bias);
  logit = multiply_exact(logit, logit > 0 ? 1.f / change.repetition : change.repetition);
  return add_exact(logit, -change.penalty);
}

struct KeySearch {
  uint32_t counts[kDigits];
  uint32_t of_warps[kRowWarps];
  uint32_t digit, wanted;  // of the pass at hand
};

/// The key of the k-th largest, digit by digit from the highest; search.wanted: how many of that very key are among
/// the best. With fewer than k candidates the key is 1: all of them.
__device__ __forceinline__ uint32_t threshold_key(const float* logits, uint32_t vocab, uint32_t k, KeySearch& search) {
  uint32_t key = 0, wanted = k;
  for (uint32_t shift = 24;; shift -= 8) {
    for (uint32_t i = threadIdx.x; i < kDigits; i += kRowThreads) search.counts[i] = 0;
    block_barrier();
    for (uint32_t token = threadIdx.x; token < vocab; token += kRowThreads) {
      const uint32_t of_token = key_of(logits[token]);
      const bool matches = shift == 24 || of_token >> (shift + 8) == key >> (shift + 8);
      if (of_token != 0 && matches) add_atomic(&search.counts[of_token >> shift & 255u], 1);
    }
    block_barrier();
    if (threadIdx.x == 0) {
      uint32_t digit = kDigits, left = wanted;
      while (digit > 0 && search.counts[digit - 1] < left) left -= search.counts[--digit];
      search.digit = digit;  // one too high; 0: there are fewer than wanted
      search.wanted = left;
    }
    block_barrier();
    const uint32_t digit = search.digit;
    wanted = search.wanted;
    if (digit == 0) {
      if (threadIdx.x == 0) search.wanted = k;
      block_barrier();
      return 1;
    }
    key |= (digit - 1) << shift;
    if (shift == 0) return key;
  }
}

/// visit(token, is_one, ones before it) for every token of the vocabulary, by its thread.
template <class IsOne, class Visit>
__device__ __forceinline__ void number_ones(uint32_t vocab, uint32_t* of_warps, IsOne is_one, Visit visit) {
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  uint32_t before = 0;
  for (uint32_t first = 0; first < vocab; first += kRowThreads) {
    const uint32_t token = first + threadIdx.x;
    const bool one = token < vocab && is_one(token);
    const uint32_t votes = warp_ballot(one);
    if (lane == 0) of_warps[warp] = count_bits(votes);
    block_barrier();
    uint32_t place = before + count_bits(votes & ((1u << lane) - 1));
    for (uint32_t w = 0; w < kRowWarps; ++w) {
      place += w < warp ? of_warps[w] : 0;
      before += of_warps[w];
    }
    if (token < vocab) visit(token, one, place);
    block_barrier();
  }
}

/// Puts the best k into `found` in no order, and how many there are into `num_found`; both shared.
__device__ __forceinline__ void find_best(const float* logits, uint32_t vocab, uint32_t k, KeySearch& search,
                                          DeviceCandidate* found, uint32_t* num_found) {
  const uint32_t key = threshold_key(logits, vocab, k, search), wanted = search.wanted;
  if (threadIdx.x == 0) *num_found = 0;
  block_barrier();
  number_ones(
      vocab, search.of_warps, [&](uint32_t token) { return key_of(logits[token]) == key; },
      [&](uint32_t token, bool is_equal, uint32_t place) {
        if (key_of(logits[token]) > key || (is_equal && place < wanted))
          found[add_atomic(num_found, 1)] = {token, logits[token]};
      });
}

/// Where one of `found` stands among them.
__device__ __forceinline__ uint32_t rank_of(const DeviceCandidate& mine, const DeviceCandidate* found,
                                            uint32_t num_found) {
  uint32_t rank = 0;
  for (uint32_t i = 0; i < num_found; ++i) {
    const DeviceCandidate other = found[i];
    rank += other.logit > mine.logit || (other.logit == mine.logit && other.token < mine.token);
  }
  return rank;
}

}  // namespace gossamer::kernels::cuda
