#pragma once
/// What all products share, by whichever instructions: weights as a lane finds them in a strip, the rows of a block,
/// and where sums go.

#include "kernels/cuda/device.h"
#include "kernels/cuda/step_ops.h"

namespace gossamer::kernels::cuda {

__device__ __forceinline__ uint32_t word_of(const uint4& v, uint32_t i) {
  return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w;
}

/// What a lane has of a step of a strip.
template <StripFormat kFormat>
struct Step {
  uint4 codes[step_vectors(kFormat)];
  uint32_t scales[2];  // kMxfp4: the first; kQ8: of 32 columns each, row g low, row g + 8 high

  __device__ __forceinline__ void load(const std::byte* strip, uint32_t scales_offset, uint32_t step, uint32_t lane) {
    constexpr uint32_t kVectors = step_vectors(kFormat);
    const auto* from = reinterpret_cast<const uint4*>(strip) + step * kVectors * 32 + lane;
    for (uint32_t v = 0; v < kVectors; ++v) codes[v] = load_once(from + v * 32);
    const std::byte* of_step = strip + scales_offset + step * step_scale_bytes(kFormat);
    if (kFormat == StripFormat::kMxfp4) scales[0] = reinterpret_cast<const uint32_t*>(of_step)[lane / 4];
    if (kFormat == StripFormat::kQ8)
      for (uint32_t half = 0; half < 2; ++half)
        scales[half] = reinterpret_cast<const uint32_t*>(of_step)[lane / 4 * 2 + half];
  }

  /// The left operand of instruction `i` (0, 1) of the 32 columns `half`.
  __device__ __forceinline__ void fragment(uint32_t half, uint32_t i, uint32_t (&a)[4]) const {
    for (uint32_t below = 0; below < 2; ++below)
      for (uint32_t pair = 0; pair < 2; ++pair) {
        const uint32_t p = 2 * i + pair;
        uint32_t& out = a[2 * pair + below];
        if constexpr (kFormat == StripFormat::kMxfp4) {
          // Sign, two exponent bits and one of mantissa, where a half-precision float has them: the code's value times
          // 2^-14, the smallest one a subnormal.
          const uint32_t word = word_of(codes[0], 2 * half + below), number = word << mxfp4_number_shift(p);
          out = mxfp4_number_shift(p) == mxfp4_sign_shift(p)
                    ? number & 0x8e008e00u
                    : (number & 0x0e000e00u) | (word << mxfp4_sign_shift(p) & 0x80008000u);
        } else if constexpr (kFormat == StripFormat::kQ8) {
          // 1024 + (code + 128) has the byte as its mantissa.
          const uint32_t bytes = word_of(codes[half], 2 * below + i) ^ 0x80808080u;
          out = subtract_f16(select_bytes(bytes, 0x64646464u, pair == 0 ? 0x4140u : 0x4342u), 0x64806480u);
        } else {
          out = word_of(codes[2 * half + below], p);
        }
      }
  }

  /// kMxfp4: fragment() times the scales of the 32 columns `half`, exact where mxfp4_scale_folds(): what remains is
  /// nothing to multiply sums by. `factors`: fold_factors().
  __device__ __forceinline__ void folded_fragment(uint32_t half, uint32_t i, uint32_t factors, uint32_t (&a)[4]) const {
    fragment(half, i, a);
    for (uint32_t below = 0; below < 2; ++below) {
      const uint32_t byte = 2 * half + below, factor = select_bytes(factors, 0, byte << 12 | byte << 4 | 0x404u);
      for (uint32_t pair = 0; pair < 2; ++pair) a[2 * pair + below] = multiply_f16(a[2 * pair + below], factor);
    }
  }
  /// The four scales times 2^14, each the high byte of a half-precision power of two. Stored scales are E8M0 + 14, a
  /// half's exponents are 112 lower: 16 more, less the 128 that the mask takes off. What is not there has 0 or 14
  /// stored and gets something finite, which zeros do not mind; a subtraction would have borrowed from the neighbour
  /// for it.
  __device__ __forceinline__ uint32_t fold_factors() const { return ((scales[0] + 0x10101010u) & 0x1f1f1f1fu) << 2; }

  /// By which sums of the 32 columns `half` are multiplied: row g or g + 8.
  __device__ __forceinline__ float scale(uint32_t half, uint32_t below) const {
    if constexpr (kFormat == StripFormat::kMxfp4) {
      const uint32_t byte = 2 * half + below;  // becomes the highest one, then a float's exponent
      return bits_to_float(select_bytes(scales[0], 0, byte << 12 | 0x444u) >> 1);
    }
    return below ? high_f16(scales[half]) : low_f16(scales[half]);
  }
};

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
      const uint32_t col = strip_index * kStripRows + group + 8 * below;
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
