#pragma once
/// The smallest number of tokens, likeliest first, whose mass reaches what is wanted: by digits of their keys from the
/// highest, never by sorting a vocabulary.
///
/// Mass is counted in integers, so it is the same in whatever order atomic additions come. It is exact, and as a double
/// off by a bit at most. The CPU adds the same weights as doubles: exact too while none of them is below 1/4096 (their
/// last bit is 2^-35, their sum below 2^18), so that both choose the same tokens. Where all tokens have to be looked
/// at, the CPU's sum may be off in its last bits; the two could differ there by a token if a sum came that close to
/// what is wanted.

#include "kernels/cuda/exp_weight.h"
#include "kernels/cuda/row_select.h"

namespace gossamer::kernels::cuda {

/// A sum of weights (e^-40 to 1, each 24 bits): units of 2^-39 and of 2^-81. No carry from low to high: 2^18 weights
/// fit.
struct Mass {
  uint64_t high, low;
};
inline constexpr uint32_t kLowMassBits = 42;

__device__ __forceinline__ Mass mass_of(float weight) {
  const uint32_t bits = float_to_bits(weight);
  const uint64_t mantissa = (bits & 0x7fffffu) | 0x800000u;
  const uint32_t shift = (bits >> 23) - 69;  // the weight is mantissa * 2^(shift - 81); e^-40 is above 2^-58
  if (shift >= kLowMassBits) return {mantissa << (shift - kLowMassBits), 0};
  return {mantissa >> (kLowMassBits - shift), (mantissa << shift) & ((uint64_t{1} << kLowMassBits) - 1)};
}
__device__ __forceinline__ double number_of(const Mass& mass) {
  return add_exact(static_cast<double>(mass.high) * 0x1p-39, static_cast<double>(mass.low) * 0x1p-81);
}

struct MassSearch {
  uint64_t high[kDigits], low[kDigits];
  uint32_t counts[kDigits];
  uint32_t of_warps[kRowWarps];
  Mass before;      // of larger keys than those that are looked at
  uint32_t digit;   // of the pass at hand
  uint32_t wanted;  // of those with the last key
  uint32_t token;
};

/// The last digit that is needed; where all together are too few, the last that there is. One thread.
__device__ __forceinline__ void choose_digit(double wanted, MassSearch& search) {
  Mass before = search.before;
  search.digit = 0;
#pragma unroll 1
  for (uint32_t digit = kDigits; digit-- > 0;) {
    if (search.counts[digit] == 0) continue;
    search.digit = digit;
    search.before = before;
    before = {before.high + search.high[digit], before.low + search.low[digit]};
    if (number_of(before) >= wanted) return;
  }
}

/// How many of `count` equal ones are needed behind `before`; all, where they are too few.
__device__ __forceinline__ uint32_t needed_of_equal(const Mass& before, const Mass& each, uint32_t count,
                                                    double wanted) {
  uint32_t low = 1, high = count;
  while (low < high) {
    const uint32_t middle = (low + high) / 2;
    if (number_of({before.high + middle * each.high, before.low + middle * each.low}) >= wanted)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

/// The last token that is needed, among those that `weight_at(token, logit)` gives a weight above 0. `has_any(stretch)`
/// says which stretches of kDrawStretch have such tokens; at least one has.
template <class WeightAt, class HasAny>
__device__ __forceinline__ DrawCut mass_cut(const float* logits, uint32_t vocab, double wanted, WeightAt weight_at,
                                            HasAny has_any, MassSearch& search) {
  uint32_t key = 0;
  if (threadIdx.x == 0) search.before = {0, 0};
  for (uint32_t shift = 24;; shift -= 8) {
    for (uint32_t i = threadIdx.x; i < kDigits; i += kRowThreads) search.high[i] = search.low[i] = search.counts[i] = 0;
    block_barrier();
    for (uint32_t token = threadIdx.x; token < vocab; token += kRowThreads) {
      if (!has_any(token / kDrawStretch)) continue;
      const float logit = logits[token];
      const uint32_t of_token = key_of(logit);
      if (shift < 24 && of_token >> (shift + 8) != key >> (shift + 8)) continue;
      const float weight = weight_at(token, logit);
      if (weight == 0) continue;
      const Mass mass = mass_of(weight);
      const uint32_t digit = of_token >> shift & 255u;
      add_atomic(&search.counts[digit], 1);
      add_atomic(&search.high[digit], mass.high);
      if (mass.low > 0) add_atomic(&search.low[digit], mass.low);
    }
    block_barrier();
    if (threadIdx.x == 0) choose_digit(wanted, search);
    block_barrier();
    key |= search.digit << shift;
    if (shift == 0) break;
  }
  const uint32_t count = search.counts[key & 255u];
  const auto has_key = [&](uint32_t token) {
    return has_any(token / kDrawStretch) && key_of(logits[token]) == key && weight_at(token, logits[token]) > 0;
  };
  if (count <= 1) {  // nearly always
    for (uint32_t token = threadIdx.x; token < vocab; token += kRowThreads)
      if (has_key(token)) search.token = token;
  } else {
    if (threadIdx.x == 0) {
      const Mass each = {search.high[key & 255u] / count, search.low[key & 255u] / count};
      search.wanted = needed_of_equal(search.before, each, count, wanted);
    }
    block_barrier();
    number_ones(vocab, search.of_warps, has_key,
                [&, last = search.wanted](uint32_t token, bool is_one, uint32_t place) {
                  if (is_one && place + 1 == last) search.token = token;
                });
  }
  block_barrier();
  return {key, search.token};
}

}  // namespace gossamer::kernels::cuda
