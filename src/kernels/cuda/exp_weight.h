#pragma once
/// Weights of tokens and their sums with the bits of kernels/exp_weights.cc and sampling/sampler.cc.

#include "kernels/cuda/device.h"
#include "kernels/draw_rule.h"

namespace gossamer::kernels::cuda {

/// One number of exp_weights(), step by step: each is rounded as there.
__device__ __forceinline__ float exp_weight(float logit, float largest, float scale, float least) {
  constexpr float kLog2E = 1.44269504f, kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  constexpr float kRounder = 12582912.f;
  const float x = multiply_exact(add_exact(logit, -largest), scale);
  if (!(x >= least)) return 0;
  const float rounded = add_exact(multiply_exact(x, kLog2E), kRounder);
  const float n = add_exact(rounded, -kRounder);
  const float r = add_exact(add_exact(x, -multiply_exact(n, kLn2High)), -multiply_exact(n, kLn2Low));
  float p = 1.f / 720.f;
  p = add_exact(multiply_exact(p, r), 1.f / 120.f);
  p = add_exact(multiply_exact(p, r), 1.f / 24.f);
  p = add_exact(multiply_exact(p, r), 1.f / 6.f);
  p = add_exact(multiply_exact(p, r), 0.5f);
  p = add_exact(multiply_exact(p, r), 1.f);
  p = add_exact(multiply_exact(p, r), 1.f);
  return bits_to_float(float_to_bits(p) + (float_to_bits(rounded) << 23));
}

/// Half a warp adds up a stretch: sums[l] of those weights that are not below least[l]. All halves call this together,
/// each with a stretch of its own, and all threads of a half get the sums.
template <uint32_t kSums, class WeightAt>
__device__ __forceinline__ void add_stretch(uint32_t size, WeightAt weight_at, const float (&least)[kSums],
                                            float (&sums)[kSums]) {
  const uint32_t lane = threadIdx.x % kDrawLanes, first = threadIdx.x % 32 - lane;
  const uint32_t whole = size / kDrawLanes * kDrawLanes;
  float lanes[kSums] = {};
  const auto add = [&](uint32_t i) {
    const float weight = weight_at(i);
    for (uint32_t l = 0; l < kSums; ++l) lanes[l] = add_exact(lanes[l], weight >= least[l] ? weight : 0.f);
  };
  for (uint32_t i = lane; i < whole; i += kDrawLanes) add(i);
  for (uint32_t i = whole; i < size; ++i)
    if (lane == 0) add(i);
  for (uint32_t l = 0; l < kSums; ++l) {
    float sum = 0;
    for (uint32_t k = 0; k < kDrawLanes; ++k) sum = add_exact(sum, shuffle(lanes[l], first + k));
    sums[l] = sum;
  }
}

/// Of stretches, in order, in double. One thread: every sum waits for the one before it.
__device__ __forceinline__ double add_stretches(const float* sums, uint32_t num_stretches) {
  double total = 0;
#pragma unroll 8
  for (uint32_t i = 0; i < num_stretches; ++i) total = add_exact(total, static_cast<double>(sums[i]));
  return total;
}

}  // namespace gossamer::kernels::cuda
