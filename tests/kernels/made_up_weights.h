#pragma once
/// Made-up weights in every stored format, and how far a product with them may be from the plain loops of kernels/ref:
/// for tests and for the fuzzer that compares instruction sets.

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cpu/quantized_row.h"
#include "kernels/random_matrix.h"

namespace gossamer::testing {

using namespace kernels;

/// Error of a float32 sum of n products whose absolute values sum to `magnitude`: at least 8 lanes add up in parallel,
/// so the longest chain has n / 8 roundings and the tree over the lanes, bias and residual a few more. The same again
/// for what the reference rounds.
inline double sum_tolerance(size_t n, double magnitude) {
  return (static_cast<double>(n) / 8 + 10) * 0x1p-24 * magnitude + 1e-30;
}

struct Format {
  Dtype dtype;
  Mxfp4Layout layout = Mxfp4Layout::kSplit;
};
constexpr Format kFormats[] = {{Dtype::kF32},
                               {Dtype::kF16},
                               {Dtype::kBf16},
                               {Dtype::kQ8_0},
                               {Dtype::kMxfp4, Mxfp4Layout::kSplit},
                               {Dtype::kMxfp4, Mxfp4Layout::kGgml}};

/// Of the largest input of a block, what rounding may change of each: half a step of 15 bits, and half of one of 8
/// bits where those are what is left (a step is 128 then).
inline double largest_rounding(Precision precision) {
  if (precision == Precision::kF32) return 0;
  return (precision == Precision::kExact ? 0.5 : 0.5 + 64) / kQuantizedMax;
}

/// What rounding the inputs may change of a product.
inline double rounding_tolerance(Precision precision, const std::vector<float>& weights, const float* x) {
  double sum = 0;
  for (size_t block = 0; block < weights.size(); block += 32) {
    double largest = 0, magnitude = 0;
    for (size_t i = block; i < block + 32; ++i) {
      largest = std::max(largest, std::fabs(static_cast<double>(x[i])));
      magnitude += std::fabs(static_cast<double>(weights[i]));
    }
    sum += magnitude * largest * largest_rounding(precision);
  }
  return sum * (1 + 1e-3);  // the factor and the scale are rounded too
}

inline bool of_8_bits(Dtype dtype) {
  return dtype == Dtype::kMxfp4 || dtype == Dtype::kQ8_0;
}
/// Tiles take these too, and round inputs to bfloat16: no more than to 8 bits.
inline bool in_tiles(const Backend& backend, Dtype dtype) {
  return backend.name() == "amx" && dtype == Dtype::kBf16;
}

/// A copy of `w` in the backend's own order; w itself where it wants none.
struct PackedCopy {
  std::vector<std::byte> memory;
  WeightRows rows;
  PackedCopy(Backend& backend, const WeightRows& w) : memory(backend.packed_bytes(w) + 64), rows(w) {
    if (memory.size() == 64) return;
    std::byte* copy = memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64);
    backend.pack(w, copy);
    rows = backend.packed_rows(w, copy);
  }
};

}  // namespace gossamer::testing
