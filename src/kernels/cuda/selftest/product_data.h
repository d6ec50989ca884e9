#pragma once
/// Operands of products for the checks, and what comes of them in double.

#include <span>
#include <vector>

#include "kernels/cuda/pack_strips.h"
#include "kernels/cuda/selftest/check.h"

namespace gossamer::kernels::cuda {

/// Strips on the device; of several matrices of one shape one behind the other.
struct Strips {
  StripShape shape;
  std::byte* memory = nullptr;
};
Strips upload_strips(Check& check, const std::vector<std::vector<StripRow>>& matrices);

/// Rows of x as the kernels take them, zeros behind; and what they stand for.
struct Rounded {
  uint32_t cols, stride;
  bool bf16;
  std::vector<uint16_t> bits;  // [rows, stride]

  Rounded(std::span<const float> x, uint32_t num_cols, bool to_bf16);
  /// Rows that a kernel wrote.
  Rounded(std::vector<uint16_t> written, uint32_t num_cols, bool is_bf16);
  uint32_t rows() const { return static_cast<uint32_t>(bits.size() / stride); }
  /// A row without its zeros.
  std::vector<double> row(uint32_t index) const;
};

struct Dot {
  double sum = 0, magnitude = 0;  // of all |terms|
};
/// [tokens, rows of w] of the rows of x that `tokens` names, without biases.
std::vector<Dot> dots_of(ThreadPool& threads, const WeightRows& w, const Rounded& x, std::span<const uint32_t> tokens);

}  // namespace gossamer::kernels::cuda
