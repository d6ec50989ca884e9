#include "kernels/read_row.h"

namespace gossamer::kernels {
namespace {

template <class T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

/// Block of 32: f16 scale, 32 int8.
void read_q8_0(const std::byte* block, float* out) {
  const float scale = f16_to_f32(load<uint16_t>(block));
  for (uint32_t i = 0; i < kBlockElements; ++i) out[i] = scale * static_cast<float>(static_cast<int8_t>(block[2 + i]));
}

/// 16 code bytes, elements 2j and 2j + 1 in byte j.
void read_mxfp4_split(const std::byte* codes, uint8_t scale_byte, float* out) {
  const float scale = e8m0_to_f32(scale_byte);
  for (uint32_t j = 0; j < 16; ++j) {
    const auto byte = static_cast<uint8_t>(codes[j]);
    out[2 * j] = scale * kFp4Values[byte & 15];
    out[2 * j + 1] = scale * kFp4Values[byte >> 4];
  }
}

/// The scale byte, then 16 code bytes, elements j and j + 16 in byte j.
void read_mxfp4_ggml(const std::byte* block, float* out) {
  const float scale = e8m0_to_f32(static_cast<uint8_t>(block[0]));
  for (uint32_t j = 0; j < 16; ++j) {
    const auto byte = static_cast<uint8_t>(block[1 + j]);
    out[j] = scale * kFp4Values[byte & 15];
    out[j + 16] = scale * kFp4Values[byte >> 4];
  }
}

}  // namespace

void read_row(const WeightRows& w, uint32_t row, float* out) {
  const std::byte* data = w.data + row * w.row_stride_bytes;
  const uint32_t blocks = w.cols / kBlockElements;
  switch (w.dtype) {
    case Dtype::kF32:
      std::memcpy(out, data, w.cols * sizeof(float));
      break;
    case Dtype::kF16:
      for (uint32_t i = 0; i < w.cols; ++i) out[i] = f16_to_f32(load<uint16_t>(data + 2 * i));
      break;
    case Dtype::kBf16:
      for (uint32_t i = 0; i < w.cols; ++i) out[i] = bf16_to_f32(load<uint16_t>(data + 2 * i));
      break;
    case Dtype::kQ8_0:
      for (uint32_t b = 0; b < blocks; ++b) read_q8_0(data + b * kQ8BlockBytes, out + b * kBlockElements);
      break;
    case Dtype::kMxfp4:
      if (w.layout == Mxfp4Layout::kGgml) {
        for (uint32_t b = 0; b < blocks; ++b)
          read_mxfp4_ggml(data + b * kMxfp4GgmlBlockBytes, out + b * kBlockElements);
      } else {
        const std::byte* scales = w.scales + row * w.scale_stride_bytes;
        for (uint32_t b = 0; b < blocks; ++b)
          read_mxfp4_split(data + b * kMxfp4SplitBlockBytes, static_cast<uint8_t>(scales[b]), out + b * kBlockElements);
      }
      break;
    case Dtype::kU8:
      for (uint32_t i = 0; i < w.cols; ++i) out[i] = static_cast<float>(static_cast<uint8_t>(data[i]));
      break;
  }
}

}  // namespace gossamer::kernels
