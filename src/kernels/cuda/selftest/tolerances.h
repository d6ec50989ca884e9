#pragma once
/// How far from the exact value kernels may be, derived from how they compute. Nothing here was fitted to what came
/// out: the checks of arithmetic confirm on the device at hand what these lines assume of single instructions.

#include <cstdint>

#include "kernels/cuda/strips.h"

namespace gossamer::kernels::cuda {

/// Half a unit in the last place, relative: 8, 11 and 24 significant bits.
inline constexpr double kBf16Rounding = 0x1p-8, kF16Rounding = 0x1p-11, kF32Rounding = 0x1p-24;
/// Half of the smallest number of half precision, where rounding is no longer relative.
inline constexpr double kF16Least = 0x1p-25;
/// exp2_fast() and divide_fast(): two units in the last place.
inline constexpr double kExp2Error = 0x1p-22, kDivideError = 0x1p-22;

/// What tensor cores may lose of a chain of `columns` products, per unit of the sum of their magnitudes. An instruction
/// takes the sum so far and 4, 8 or 16 products (exact) to the exponent of the largest of them and cuts what is below
/// 24 bits: each but the largest loses less than 2^-23 of the largest, and so does the result. With 4 products, the
/// worst, that is 5 units for 4 columns. The largest is at most the sum of all magnitudes.
constexpr double tensor_core_error(double columns) {
  return 1.25 * columns * 0x1p-23;
}

/// Of a product's sum whose terms (bias and what was there before among them) have these magnitudes in all. The columns
/// are added up in kSlices chains; where a format has scales a chain is 32 columns long, and every such sum is added in
/// float32. Then come the slices, the bias and what was there before.
constexpr double product_error(StripFormat format, uint32_t cols, double magnitude) {
  const uint32_t steps = padded_cols(cols) / kStepCols, steps_of_slice = (steps + kSlices - 1) / kSlices;
  const bool scaled = step_scale_bytes(format) > 0;
  const double chain = tensor_core_error(scaled ? kStepCols / 2 : steps_of_slice * kStepCols);
  const double roundings = (scaled ? 2 * steps_of_slice : 0) + kSlices + 2;
  return magnitude * (chain + roundings * kF32Rounding) + 0x1p-140;
}

/// Likewise where all columns are one chain, whose weights have their scales in them.
constexpr double run_error(uint32_t cols, double magnitude) {
  return magnitude * (tensor_core_error(padded_cols(cols)) + 3 * kF32Rounding) + 0x1p-140;
}

/// Of a norm's scale, relative: a thread adds width / 256 squares, then come a tree over 256 threads, a division, eps,
/// a root and another division.
constexpr double norm_scale_error(uint32_t width) {
  return (width / 256. + 5 + 8 + 4) * kF32Rounding;
}

}  // namespace gossamer::kernels::cuda
