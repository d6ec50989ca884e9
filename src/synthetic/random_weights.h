#pragma once
/// Random weights, a row at a time and in any order. Every number is one that each format of the model can hold, so a
/// GGUF file and a folder of safetensors made from one seed are the same model to the bit.
///
/// Sizes keep activations near 1: with n columns, a matrix has a standard deviation near 1 / sqrt(n).

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/dtype.h"
#include "synthetic/random_words.h"

namespace gossamer::synthetic {

/// A dense matrix. Blocks of 32 whole numbers from -127 to 127, uniform, times one of two neighbouring powers of two:
/// as Q8_0 that is the block as it stands, and BF16 holds each product exactly, for seven bits are enough.
class RandomMatrix {
 public:
  /// `cols` is a multiple of 32; `fan_in` says how many numbers a product sums: the columns, or 1 for a lookup.
  RandomMatrix(uint64_t seed, std::string_view name, uint64_t cols, uint64_t fan_in);

  /// Writes row_bytes(dtype, cols) bytes. `dtype` is kQ8_0, kBf16 or kF32.
  void write_row(Dtype dtype, uint64_t row, std::byte* out) const;

 private:
  RandomWords words_;
  uint64_t blocks_per_row_;
  int low_exponent_;  // of the smaller scale
};

/// The MXFP4 matrices of all experts, [experts * rows, cols]. Codes are uniform over all 16, scales one of two
/// neighbouring powers of two.
class RandomExperts {
 public:
  RandomExperts(uint64_t seed, std::string_view name, uint64_t cols);

  void write_ggml_row(uint64_t row, std::byte* out) const;    ///< cols / 32 blocks of 17 bytes
  void write_codes_row(uint64_t row, std::byte* out) const;   ///< kSplit: cols / 32 blocks of 16 bytes
  void write_scales_row(uint64_t row, std::byte* out) const;  ///< kSplit: cols / 32 bytes

 private:
  uint8_t scale_of(uint64_t block) const;

  RandomWords words_;
  uint64_t blocks_per_row_;
  uint8_t low_scale_;
};

enum class VectorKind : uint8_t {
  kNorm,   ///< near 1
  kBias,   ///< up to 1/8
  kSinks,  ///< up to 2
};

/// A vector, in numbers of BF16.
class RandomVector {
 public:
  RandomVector(uint64_t seed, std::string_view name, VectorKind kind) : words_(seed, name), kind_(kind) {}

  /// Writes element `index`. `dtype` is kBf16 or kF32.
  void write(Dtype dtype, uint64_t index, std::byte* out) const;

 private:
  RandomWords words_;
  VectorKind kind_;
};

}  // namespace gossamer::synthetic
