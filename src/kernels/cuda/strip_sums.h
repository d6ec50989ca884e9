#pragma once
/// What kernels do with strips: read a step of one, make left operands of it, add it up. strips.h has the order.

#include "kernels/cuda/device.h"
#include "kernels/cuda/strips.h"

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

template <StripFormat kFormat>
__device__ __forceinline__ void multiply(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  if constexpr (takes_bf16(kFormat))
    mma_bf16(d, a, b0, b1);
  else
    mma_f16(d, a, b0, b1);
}

/// sums += 16 rows of a step times 8 rows of x, of which this lane has 2 x 8 numbers.
template <StripFormat kFormat>
__device__ __forceinline__ void add_step(const Step<kFormat>& step, const uint4 (&x)[2], float (&sums)[4]) {
  constexpr bool kScaled = step_scale_bytes(kFormat) > 0;
  for (uint32_t half = 0; half < 2; ++half) {
    float block[4] = {0, 0, 0, 0};
    float(&into)[4] = kScaled ? block : sums;
    for (uint32_t i = 0; i < 2; ++i) {
      uint32_t a[4];
      step.fragment(half, i, a);
      multiply<kFormat>(into, a, word_of(x[half], 2 * i), word_of(x[half], 2 * i + 1));
    }
    if constexpr (kScaled)
      for (uint32_t j = 0; j < 4; ++j) sums[j] = fmaf(block[j], step.scale(half, j / 2), sums[j]);
  }
}

/// Blocks of 256 threads that few rows are to have on a multiprocessor at least; 0: as the compiler likes. For MXFP4 it
/// liked eight, with 32 registers, and spilled; others it spilled where it was told a number.
constexpr uint32_t blocks_of_slices(StripFormat format) {
  return format == StripFormat::kMxfp4 ? 4 : 0;
}

/// Asks for steps of a strip before the kernels that made x have ended: what the memory gives in the few microseconds
/// that lie between, 4 KiB a warp.
template <StripFormat kFormat>
__device__ __forceinline__ void prefetch_steps(const std::byte* strip, uint32_t first_step, uint32_t end_step) {
  constexpr uint32_t kStepBytes = step_vectors(kFormat) * 512, kMostSteps = 4096 / kStepBytes;
  if (threadIdx.x % 32 != 0 || first_step >= end_step) return;
  const uint32_t steps = end_step - first_step < kMostSteps ? end_step - first_step : kMostSteps;
  prefetch_weights(strip + first_step * kStepBytes, steps * kStepBytes);
}
template <StripFormat kFormat>
__device__ __forceinline__ void prefetch_slice(const std::byte* strip, const StripShape& shape, uint32_t slice) {
  const uint32_t num_steps = shape.num_steps();
  prefetch_steps<kFormat>(strip, slice_begin(slice, num_steps), slice_begin(slice + 1, num_steps));
}

/// The sums of one slice of a strip with 8 rows of x, of which a lane reads 16 bytes at a time from `x`: its row and
/// quad; null: a row of zeros. The lane gets rows g and g + 8 with the rows of x 2 quad and 2 quad + 1.
template <StripFormat kFormat>
__device__ __forceinline__ void add_slice(const std::byte* strip, const StripShape& shape, uint32_t slice,
                                          const uint4* x, float (&sums)[4]) {
  const uint32_t lane = threadIdx.x % 32, scales_offset = shape.scales_offset(), num_steps = shape.num_steps();
#pragma unroll 4
  for (uint32_t step = slice_begin(slice, num_steps); step < slice_begin(slice + 1, num_steps); ++step) {
    Step<kFormat> weights;
    weights.load(strip, scales_offset, step, lane);
    uint4 rows[2] = {{0, 0, 0, 0}, {0, 0, 0, 0}};
    if (x)
      for (uint32_t half = 0; half < 2; ++half) rows[half] = x[step * 8 + half * 4];
    add_step(weights, rows, sums);
  }
}

/// What a lane of all slices got, added up in order; the slices are [kSlices][32 lanes], all written.
__device__ __forceinline__ void add_up_slices(const float4* slices, float (&total)[4]) {
  for (float& sum : total) sum = 0;
  for (uint32_t slice = 0; slice < kSlices; ++slice) {
    const float4 part = slices[slice * 32 + threadIdx.x % 32];
    total[0] += part.x;
    total[1] += part.y;
    total[2] += part.z;
    total[3] += part.w;
  }
}

}  // namespace gossamer::kernels::cuda
