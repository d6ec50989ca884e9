#include "model/dense_int8.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/read_row.h"

namespace gossamer {
namespace {

void write_block(const float* x, std::byte* out) {
  float largest = 0;
  for (uint32_t i = 0; i < kBlockElements; ++i) largest = std::max(largest, std::fabs(x[i]));
  const uint16_t scale = f32_to_f16(largest / 127);
  std::memcpy(out, &scale, sizeof scale);
  const float step = f16_to_f32(scale);  // as it is read again
  for (uint32_t i = 0; i < kBlockElements; ++i) {
    const float code = step > 0 ? std::clamp(std::nearbyint(x[i] / step), -127.f, 127.f) : 0.f;
    out[sizeof scale + i] = static_cast<std::byte>(static_cast<int8_t>(code));
  }
}

}  // namespace

kernels::WeightRows kept_as(const kernels::WeightRows& rows, DenseDtype dtype) {
  kernels::WeightRows kept = rows;
  const bool wide = rows.dtype == Dtype::kBf16 || rows.dtype == Dtype::kF16 || rows.dtype == Dtype::kF32;
  if (dtype == DenseDtype::kInt8 && wide && rows.cols % kBlockElements == 0) kept.dtype = Dtype::kQ8_0;
  return kept;
}

void write_q8_0(const kernels::WeightRows& rows, uint32_t first, uint32_t count, std::byte* out) {
  std::vector<float> row(rows.cols);
  for (uint32_t r = first; r < first + count; ++r) {
    kernels::read_row(rows, r, row.data());
    for (uint32_t block = 0; block < rows.cols / kBlockElements; ++block, out += kQ8BlockBytes)
      write_block(row.data() + block * kBlockElements, out);
  }
}

}  // namespace gossamer
