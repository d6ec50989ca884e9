#pragma once
/// Where a token's keys and values go, and how they are turned before.

#include "kernels/cuda/device.h"
#include "kernels/cuda/step_ops.h"

namespace gossamer::kernels::cuda {

/// A token's place in the cache.
struct CachePlace {
  std::byte* block;  // of its page in the layer
  uint32_t slot;     // in the page
  uint32_t position;
};
__device__ __forceinline__ CachePlace cache_place(const BatchPlaces& places, const CacheOp& cache, uint32_t token) {
  const uint32_t position = places.positions[token];
  const uint32_t page = places.pages[places.table_begin[token] + position / kKvBlockTokens];
  return {cache.memory + page * cache.page_bytes, position % kKvBlockTokens, position};
}

/// Numbers d and d + 32 of a head, turned. What is fused is written out: every kernel has the same bits.
__device__ __forceinline__ void rotate(float& a, float& b, float cos, float sin) {
  const float turned = fmaf(a, cos, -(b * sin));
  b = fmaf(b, cos, a * sin);
  a = turned;
}

}  // namespace gossamer::kernels::cuda
