#pragma once
/// Sums over a block, in an order that depends on nothing but its size.

#include "kernels/cuda/device.h"

namespace gossamer::kernels::cuda {

inline constexpr uint32_t kReduceBytes = 32 * sizeof(float);

__device__ __forceinline__ float add_over_warp(float value) {
  for (uint32_t mask = 16; mask > 0; mask /= 2) value += shuffle_xor(value, mask);
  return value;
}

/// The sum over all threads of the block, for each of them. `shared`: kReduceBytes that nobody else uses until all are
/// back.
template <uint32_t kThreads>
__device__ __forceinline__ float add_over_block(float value, float* shared) {
  value = add_over_warp(value);
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
  block_barrier();
  float sum = 0;
  for (uint32_t warp = 0; warp < kThreads / 32; ++warp) sum += shared[warp];
  block_barrier();
  return sum;
}

/// 1 / sqrt(mean of squares + eps) of a row.
template <uint32_t kThreads>
__device__ __forceinline__ float norm_scale(const float* x, uint32_t width, float eps, float* shared) {
  float squares = 0;
  for (uint32_t i = threadIdx.x; i < width; i += kThreads) squares = fmaf(x[i], x[i], squares);
  return 1.f / sqrtf(add_over_block<kThreads>(squares, shared) / static_cast<float>(width) + eps);
}

/// In half precision, the largest numbers of it where they are larger: an infinity would make a NaN of a zero.
__device__ __forceinline__ uint32_t pack_f16_within(float low, float high) {
  constexpr float kLargest = 65504.f;
  return pack_f16(fminf(fmaxf(low, -kLargest), kLargest), fminf(fmaxf(high, -kLargest), kLargest));
}

/// Writes a row of x, normed, to `out` [padded], rounded; what is behind its width is zero. All threads of a block.
template <uint32_t kThreads>
__device__ __forceinline__ void store_normed(const float* x, float scale, const float* weight, uint32_t width,
                                             uint32_t padded, bool to_bf16, uint16_t* out) {
  for (uint32_t i = 2 * threadIdx.x; i < padded; i += 2 * kThreads) {
    const float low = i < width ? x[i] * scale * weight[i] : 0;
    const float high = i < width ? x[i + 1] * scale * weight[i + 1] : 0;
    *reinterpret_cast<uint32_t*>(out + i) = to_bf16 ? pack_bf16(low, high) : pack_f16_within(low, high);
  }
}

}  // namespace gossamer::kernels::cuda
