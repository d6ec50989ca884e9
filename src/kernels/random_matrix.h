#pragma once
/// Made-up weights in every stored format: for checks of kernels on the machine at hand, for tests and for fuzzers.

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/ops.h"

namespace gossamer::kernels {

/// Random weights of one stored format; every bit pattern is a valid one (scales stay moderate).
struct RandomMatrix {
  std::vector<std::byte> data, scales;
  WeightRows rows;

  RandomMatrix(Dtype dtype, Mxfp4Layout layout, uint32_t n, uint32_t k, std::mt19937& rng) {
    const bool split = dtype == Dtype::kMxfp4 && layout == Mxfp4Layout::kSplit;
    const uint64_t stride = split ? k / 2 : row_bytes(dtype, k);
    data.resize(stride * n);
    rows = {dtype, layout, n, k, data.data(), stride, nullptr, 0};
    for (size_t i = 0; i < data.size(); i += 4) {
      const uint32_t four = rng();
      std::memcpy(data.data() + i, &four, std::min<size_t>(4, data.size() - i));
    }
    const auto scale_byte = [&] { return static_cast<std::byte>(120 + rng() % 5); };
    if (split) {
      scales.resize(static_cast<size_t>(n) * k / 32);
      for (auto& byte : scales) byte = scale_byte();
      rows.scales = scales.data();
      rows.scale_stride_bytes = k / 32;
    } else if (dtype == Dtype::kMxfp4) {
      for (size_t block = 0; block < data.size(); block += kMxfp4GgmlBlockBytes) data[block] = scale_byte();
    } else if (dtype == Dtype::kQ8_0) {
      for (size_t block = 0; block < data.size(); block += kQ8BlockBytes) put<uint16_t>(block, 0x2000 + rng() % 256);
    } else {
      std::normal_distribution<float> normal(0, 0.02f);
      for (size_t i = 0; i < static_cast<size_t>(n) * k; ++i) {
        const float value = normal(rng);
        if (dtype == Dtype::kF32) put(4 * i, value);
        if (dtype == Dtype::kBf16) put(2 * i, f32_to_bf16(value));
        if (dtype == Dtype::kF16) put<uint16_t>(2 * i, 0x1c00 + rng() % 1024);
      }
    }
  }

 private:
  template <class T>
  void put(size_t offset, T value) {
    std::memcpy(data.data() + offset, &value, sizeof value);
  }
};

inline std::vector<float> random_floats(size_t n, std::mt19937& rng, float scale = 1.f) {
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(n);
  for (float& v : values) v = normal(rng);
  return values;
}

}  // namespace gossamer::kernels
