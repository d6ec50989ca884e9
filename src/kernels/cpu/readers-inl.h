// Part of one ISA's file: included inside its namespace, after its simd.h. A reader gives 32 weights of one row as a
// Block.
#pragma once

/// 2^(byte - 127) for every scale byte; a load is cheaper than the shift and the special cases of bytes 0 and 255.
struct ScaleTable {
  float value[256];
  constexpr ScaleTable() : value() {
    for (int byte = 0; byte < 256; ++byte) value[byte] = e8m0_to_f32(static_cast<uint8_t>(byte));
  }
};
constexpr ScaleTable kScaleTable;

struct Mxfp4GgmlReader {
  static constexpr uint64_t kBlockBytes = kMxfp4GgmlBlockBytes;
  const std::byte* row = nullptr;
  Mxfp4GgmlReader() = default;
  Mxfp4GgmlReader(const WeightRows& w, uint32_t r) : row(w.data + r * w.row_stride_bytes) {}
  Block block(uint32_t b) const { return mxfp4_ggml(row + b * kBlockBytes, kScaleTable.value); }
};

struct Mxfp4SplitReader {
  static constexpr uint64_t kBlockBytes = kMxfp4SplitBlockBytes;
  const std::byte* row = nullptr;
  const std::byte* scales = nullptr;
  Mxfp4SplitReader() = default;
  Mxfp4SplitReader(const WeightRows& w, uint32_t r)
      : row(w.data + r * w.row_stride_bytes), scales(w.scales + r * w.scale_stride_bytes) {}
  Block block(uint32_t b) const {
    return mxfp4_split(row + b * kBlockBytes, static_cast<uint8_t>(scales[b]), kScaleTable.value);
  }
};

/// Formats whose rows are plain runs of blocks (or of 32 elements).
template <Block (*kRead)(const std::byte*), uint64_t kBytes>
struct PlainReader {
  static constexpr uint64_t kBlockBytes = kBytes;
  const std::byte* row = nullptr;
  PlainReader() = default;
  PlainReader(const WeightRows& w, uint32_t r) : row(w.data + r * w.row_stride_bytes) {}
  Block block(uint32_t b) const { return kRead(row + b * kBytes); }
};
using Q8Reader = PlainReader<q8_0, kQ8BlockBytes>;
using Bf16Reader = PlainReader<bf16, 64>;
using F16Reader = PlainReader<f16, 64>;
using F32Reader = PlainReader<f32, 128>;
