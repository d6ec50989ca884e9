#include "model/dense_int8.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "kernels/read_row.h"

namespace gossamer {
namespace {

using kernels::WeightRows;

WeightRows rows_of(Dtype dtype, uint32_t rows, uint32_t cols, const void* data) {
  return {dtype, {}, rows, cols, static_cast<const std::byte*>(data), row_bytes(dtype, cols), nullptr, 0};
}

TEST(DenseInt8, KeepsAllButWideMatricesAsTheyAre) {
  for (const Dtype dtype : {Dtype::kF32, Dtype::kF16, Dtype::kBf16, Dtype::kQ8_0, Dtype::kMxfp4}) {
    const WeightRows rows = rows_of(dtype, 4, 64, nullptr);
    const bool wide = dtype != Dtype::kQ8_0 && dtype != Dtype::kMxfp4;
    EXPECT_EQ(kept_as(rows, DenseDtype::kAsStored).dtype, dtype);
    EXPECT_EQ(kept_as(rows, DenseDtype::kInt8).dtype, wide ? Dtype::kQ8_0 : dtype);
  }
  EXPECT_EQ(kept_as(rows_of(Dtype::kBf16, 4, 48, nullptr), DenseDtype::kInt8).dtype, Dtype::kBf16)
      << "no whole number of blocks";
}

TEST(DenseInt8, IsOffByHalfAStepOfItsBlock) {
  constexpr uint32_t kRows = 5, kCols = 96;
  std::mt19937 random(1);
  std::vector<uint16_t> weights(kRows * kCols);
  for (size_t i = 0; i < weights.size(); ++i)
    weights[i] = f32_to_bf16(std::normal_distribution<float>(0, i < kCols ? 30.f : 0.02f)(random));
  std::fill_n(weights.begin() + 32, 32, uint16_t{0});
  const WeightRows rows = rows_of(Dtype::kBf16, kRows, kCols, weights.data());
  std::vector<std::byte> rounded(kRows * row_bytes(Dtype::kQ8_0, kCols));
  write_q8_0(rows, 0, 2, rounded.data());  // in two parts
  write_q8_0(rows, 2, 3, rounded.data() + 2 * row_bytes(Dtype::kQ8_0, kCols));
  const WeightRows kept = rows_of(Dtype::kQ8_0, kRows, kCols, rounded.data());
  std::vector<float> want(kCols), got(kCols);
  for (uint32_t r = 0; r < kRows; ++r) {
    kernels::read_row(rows, r, want.data());
    kernels::read_row(kept, r, got.data());
    for (uint32_t block = 0; block < kCols; block += 32) {
      float largest = 0;
      for (uint32_t i = block; i < block + 32; ++i) largest = std::max(largest, std::fabs(want[i]));
      // half a step, and a part of one more where the scale is rounded to a half (11 bits)
      for (uint32_t i = block; i < block + 32; ++i)
        EXPECT_LE(std::fabs(got[i] - want[i]), largest / 127 * (0.5f + 127 * 0x1p-11f)) << r << ", " << i;
    }
  }
}

}  // namespace
}  // namespace gossamer
