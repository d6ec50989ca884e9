#pragma once
/// What all products share, by whichever instructions: the rows of a block, and where sums go.

#include "kernels/cuda/step_ops.h"
#include "kernels/cuda/strip_sums.h"

namespace gossamer::kernels::cuda {

/// The rows that a block computes: of x, and of the experts' slots.
struct Tile {
  const std::byte* strips;
  uint32_t begin, end;
};
__device__ __forceinline__ bool find_tile(const ProductArgs& args, uint32_t tile_rows, uint32_t index, Tile& tile) {
  if (!args.tiles) {
    const uint32_t begin = index * tile_rows, end = begin + tile_rows;
    tile = {args.strips, begin, end < args.num_rows ? end : args.num_rows};
    return true;
  }
  if (index >= *args.num_tiles) return false;
  const ExpertTile found = args.tiles[index];
  tile = {args.strips + found.expert * args.expert_bytes, found.begin, found.end};
  return true;
}
__device__ __forceinline__ const uint16_t* x_row(const ProductArgs& args, uint32_t row) {
  return args.x + uint64_t{args.x_of_row ? args.x_of_row[row] : row} * args.x_stride;
}

/// gate * sigmoid(1.702 gate) * (up + 1), clamped as the model wants it.
__device__ __forceinline__ float swiglu(float gate, float up, float limit) {
  gate = fminf(gate, limit);
  up = fminf(fmaxf(up, -limit), limit);
  return (up + 1.f) * divide_fast(gate, 1.f + exp2_fast(-1.702f * 1.44269504f * gate));
}

/// Sums of rows g and g + 8 of a strip with rows `first` and `first` + 1: biases, and where they go.
__device__ __forceinline__ void finish(const ProductArgs& args, const std::byte* strip, uint32_t strip_index,
                                       uint32_t group, uint32_t first, uint32_t end, const float (&sums)[4]) {
  const auto* bias = reinterpret_cast<const float*>(strip + args.shape.bias_offset());
  for (uint32_t j = 0; j < 2; ++j) {
    const uint32_t row = first + j;
    if (row >= end) continue;
    if (args.finish == Finish::kSwiglu) {
      const float value = swiglu(sums[j] + bias[group], sums[2 + j] + bias[group + 8], args.swiglu_limit);
      args.out_half[row * args.out_stride + strip_index * 8 + group] =
          static_cast<uint16_t>(args.to_bf16 ? pack_bf16(value, 0) : pack_f16(value, 0));
      continue;
    }
    for (uint32_t below = 0; below < 2; ++below) {
      const uint32_t col = args.shape.row_at(strip_index, group + 8 * below);
      if (col >= args.shape.rows) continue;
      float& out = args.out[row * args.out_stride + col];
      const float value = sums[2 * below + j] + bias[group + 8 * below];
      out = args.finish == Finish::kAccumulate ? out + value : value;
    }
  }
}

/// Products by warpgroups (products_hopper.cu), in tiles of 64, 128 or 256 rows.
void product_on_hopper(const ProductArgs& args, uint32_t tile_rows, uint32_t num_tiles, Stream stream);

}  // namespace gossamer::kernels::cuda
