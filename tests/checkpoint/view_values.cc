#include "checkpoint/view_values.h"

#include <cstring>

#include "base/check.h"

namespace gossamer::testing {
namespace {

template <class T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

/// Element `index` of a row of `dtype` that starts at `row`; MXFP4 in ggml's blocks.
float element(Dtype dtype, const std::byte* row, uint64_t index) {
  const uint64_t block = index / kBlockElements, place = index % kBlockElements;
  switch (dtype) {
    case Dtype::kF32:
      return load<float>(row + 4 * index);
    case Dtype::kF16:
      return f16_to_f32(load<uint16_t>(row + 2 * index));
    case Dtype::kBf16:
      return bf16_to_f32(load<uint16_t>(row + 2 * index));
    case Dtype::kQ8_0: {
      const std::byte* at = row + block * kQ8BlockBytes;
      return f16_to_f32(load<uint16_t>(at)) * static_cast<float>(load<int8_t>(at + 2 + place));
    }
    case Dtype::kMxfp4: {
      const std::byte* at = row + block * kMxfp4GgmlBlockBytes;
      const uint8_t byte = load<uint8_t>(at + 1 + place % 16);
      return kFp4Values[place < 16 ? byte & 15 : byte >> 4] * e8m0_to_f32(load<uint8_t>(at));
    }
    case Dtype::kU8:
      break;
  }
  GOS_CHECK(false);
}

float split_element(const ExpertMatrixView& view, uint64_t row, uint64_t index) {
  const uint64_t blocks = view.cols / kBlockElements, block = row * blocks + index / kBlockElements,
                 place = index % kBlockElements;
  const uint8_t byte = load<uint8_t>(view.data + block * kMxfp4SplitBlockBytes + place / 2);
  return kFp4Values[place % 2 == 0 ? byte & 15 : byte >> 4] * e8m0_to_f32(load<uint8_t>(view.scales + block));
}

}  // namespace

std::vector<float> values_of(const MatrixView& view) {
  std::vector<float> values;
  for (uint64_t row = 0; row < view.rows; ++row)
    for (uint64_t col = 0; col < view.cols; ++col)
      values.push_back(element(view.dtype, view.data + row * row_bytes(view.dtype, view.cols), col));
  return values;
}

std::vector<float> values_of(const ExpertMatrixView& view) {
  const bool split = view.dtype == Dtype::kMxfp4 && view.layout == Mxfp4Layout::kSplit;
  std::vector<float> values;
  for (uint64_t expert = 0; expert < view.experts; ++expert) {
    for (uint64_t r = 0; r < view.rows; ++r) {
      const uint64_t row = expert * view.stored_rows + view.first_row + r * view.row_step;
      for (uint64_t col = 0; col < view.cols; ++col)
        values.push_back(split ? split_element(view, row, col)
                               : element(view.dtype, view.data + row * row_bytes(view.dtype, view.cols), col));
    }
  }
  return values;
}

std::vector<float> values_of(const ExpertBiasView& view) {
  std::vector<float> values;
  for (uint64_t expert = 0; expert < view.experts; ++expert)
    for (uint64_t r = 0; r < view.rows; ++r)
      values.push_back(element(view.dtype, view.data, expert * view.stored_rows + view.first_row + r * view.row_step));
  return values;
}

}  // namespace gossamer::testing
