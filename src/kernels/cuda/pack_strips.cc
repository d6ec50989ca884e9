#include "kernels/cuda/pack_strips.h"

#include <algorithm>
#include <cstring>

namespace gossamer::kernels::cuda {
namespace {

constexpr uint32_t kHighestScale = 240;  // 2^113: with kScaleOfCodes still a float

/// One row as its strip keeps it, padded with zeros to whole steps.
struct UnpackedRow {
  std::vector<uint16_t> halves;  // 16-bit formats [K]
  std::vector<uint8_t> codes;    // kQ8, kMxfp4 [K]
  std::vector<uint16_t> scales;  // [K / 32]: f16 bits of kQ8, E8M0 of kMxfp4
};

template <class T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

void unpack_q8(const std::byte* row, uint32_t blocks, UnpackedRow& out) {
  for (uint32_t b = 0; b < blocks; ++b) {
    const std::byte* block = row + b * kQ8BlockBytes;
    out.scales[b] = load<uint16_t>(block);
    std::memcpy(&out.codes[b * kBlockElements], block + 2, kBlockElements);
  }
}

void unpack_mxfp4(const WeightRows& w, uint32_t row, uint32_t blocks, UnpackedRow& out) {
  const bool ggml = w.layout == Mxfp4Layout::kGgml;
  const std::byte* data = w.data + row * w.row_stride_bytes;
  for (uint32_t b = 0; b < blocks; ++b) {
    const std::byte* block = data + b * (ggml ? kMxfp4GgmlBlockBytes : kMxfp4SplitBlockBytes);
    out.scales[b] = static_cast<uint8_t>(ggml ? block[0] : w.scales[row * w.scale_stride_bytes + b]);
    const std::byte* bytes = ggml ? block + 1 : block;
    uint8_t* codes = &out.codes[b * kBlockElements];
    for (uint32_t j = 0; j < kMxfp4SplitBlockBytes; ++j) {
      const auto byte = static_cast<uint8_t>(bytes[j]);
      codes[ggml ? j : 2 * j] = byte & 15;
      codes[ggml ? j + 16 : 2 * j + 1] = byte >> 4;
    }
  }
}

UnpackedRow unpack(const StripShape& shape, const StripRow& row) {
  UnpackedRow out;
  const uint32_t cols = padded_cols(shape.cols), blocks = shape.cols / kBlockElements;
  const bool blocked = shape.format == StripFormat::kQ8 || shape.format == StripFormat::kMxfp4;
  if (!blocked) out.halves.assign(cols, 0);
  if (blocked) {
    out.codes.assign(cols, 0);
    out.scales.assign(cols / kBlockElements, 0);
  }
  if (!row.w) return out;
  const std::byte* data = row.w->data + row.row * row.w->row_stride_bytes;
  if (shape.format == StripFormat::kQ8) unpack_q8(data, blocks, out);
  if (shape.format == StripFormat::kMxfp4) unpack_mxfp4(*row.w, row.row, blocks, out);
  if (!blocked) std::memcpy(out.halves.data(), data, shape.cols * sizeof(uint16_t));
  return out;
}

/// Eight codes as a word, in the order of mxfp4_number_shift().
uint32_t mxfp4_word(const uint8_t* codes) {
  uint32_t word = 0;
  for (uint32_t pair = 0; pair < 4; ++pair)
    for (uint32_t half = 0; half < 2; ++half) {
      const uint32_t code = codes[2 * pair + half];
      word |= ((code & 7) << (9 - mxfp4_number_shift(pair)) | code >> 3 << (15 - mxfp4_sign_shift(pair))) << 16 * half;
    }
  return word;
}

/// What a lane reads of a row in 32 columns: at `out`, wherever the format wants it.
void write_codes(const StripShape& shape, const UnpackedRow& row, uint32_t group_row, uint32_t step, std::byte* strip) {
  std::byte* codes = strip + step * step_vectors(shape.format) * 512;
  const uint32_t group = group_row % 8, below = group_row / 8;
  for (uint32_t half = 0; half < 2; ++half)
    for (uint32_t quad = 0; quad < 4; ++quad) {
      const uint32_t lane = group * 4 + quad, col = step * kStepCols + column_of(half, quad, 0);
      switch (shape.format) {
        case StripFormat::kBf16:
        case StripFormat::kF16:
          std::memcpy(codes + (2 * half + below) * 512 + lane * 16, &row.halves[col], 16);
          break;
        case StripFormat::kQ8:
          std::memcpy(codes + half * 512 + lane * 16 + below * 8, &row.codes[col], 8);
          break;
        case StripFormat::kMxfp4: {
          const uint32_t word = mxfp4_word(&row.codes[col]);
          std::memcpy(codes + lane * 16 + half * 8 + below * 4, &word, 4);
          break;
        }
      }
    }
}

void write_scales(const StripShape& shape, const UnpackedRow& row, uint32_t group_row, std::byte* scales) {
  for (uint32_t block = 0; block < row.scales.size(); ++block) {
    const uint32_t at = block / 2 * 2 * kStripRows + group_row % 8 * 4 + block % 2 * 2 + group_row / 8;
    if (shape.format == StripFormat::kQ8) std::memcpy(scales + 2 * at, &row.scales[block], 2);
    if (shape.format == StripFormat::kMxfp4) scales[at] = static_cast<std::byte>(row.scales[block] + kScaleOfCodes);
  }
}

Status check_scales(const StripShape& shape, const UnpackedRow& row) {
  if (shape.format != StripFormat::kMxfp4) return {};
  for (const uint16_t scale : row.scales)
    if (scale > kHighestScale)
      return make_error(
          ErrorCode::kUnsupported,
          "a block of MXFP4 weights has the scale 2^{}, and a GPU here follows up to 2^{}; run it on the CPU",
          scale - 127, kHighestScale - 127);
  return {};
}

}  // namespace

std::optional<StripFormat> strip_format_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::kBf16:
      return StripFormat::kBf16;
    case Dtype::kF16:
      return StripFormat::kF16;
    case Dtype::kQ8_0:
      return StripFormat::kQ8;
    case Dtype::kMxfp4:
      return StripFormat::kMxfp4;
    case Dtype::kF32:
    case Dtype::kU8:
      return std::nullopt;
  }
  return std::nullopt;
}

std::vector<StripRow> rows_below_each_other(std::span<const BiasedRows> matrices) {
  std::vector<StripRow> rows;
  for (const auto& [w, bias] : matrices)
    for (uint32_t row = 0; row < w->rows; ++row) rows.push_back({w, row, bias ? bias[row] : 0});
  return rows;
}

std::vector<StripRow> halves_of_heads(std::span<const StripRow> rows) {
  const StripShape shape{StripFormat::kBf16, static_cast<uint32_t>(rows.size()), 0, RowOrder::kHeadHalves};
  std::vector<StripRow> ordered;
  for (uint32_t i = 0; i < rows.size(); ++i) ordered.push_back(rows[shape.row_at(i / kStripRows, i % kStripRows)]);
  return ordered;
}

std::vector<StripRow> rows_side_by_side(const BiasedRows& gate, const BiasedRows& up) {
  std::vector<StripRow> rows;
  for (uint32_t first = 0; first < gate.w->rows; first += 8)
    for (const BiasedRows* of : {&gate, &up})
      for (uint32_t row = first; row < first + 8; ++row)
        rows.push_back(row < of->w->rows ? StripRow{of->w, row, of->bias ? of->bias[row] : 0} : StripRow{});
  return rows;
}

Result<StripShape> strip_shape(std::span<const StripRow> rows) {
  const WeightRows* first = nullptr;
  for (const StripRow& row : rows) {
    if (!row.w) continue;
    if (!first) first = row.w;
    if (row.w->dtype != first->dtype || row.w->cols != first->cols)
      return make_error(
          ErrorCode::kUnsupported,
          "matrices that a GPU computes together are {} with {} columns and {} with {}; run this model on the CPU",
          dtype_name(first->dtype), first->cols, dtype_name(row.w->dtype), row.w->cols);
  }
  const std::optional<StripFormat> format = first ? strip_format_of(first->dtype) : std::nullopt;
  if (!format || first->cols % kBlockElements != 0)
    return make_error(ErrorCode::kUnsupported,
                      "a GPU has no kernel for weights of {} with {} columns; run this model on the CPU",
                      first ? dtype_name(first->dtype) : "nothing", first ? first->cols : 0);
  return StripShape{*format, static_cast<uint32_t>(rows.size()), first->cols};
}

bool scales_fold(const WeightRows& w) {
  if (w.dtype != Dtype::kMxfp4) return true;
  const bool ggml = w.layout == Mxfp4Layout::kGgml;
  for (uint32_t row = 0; row < w.rows; ++row) {
    const std::byte* scales = ggml ? w.data + row * w.row_stride_bytes : w.scales + row * w.scale_stride_bytes;
    for (uint32_t block = 0; block < w.cols / kBlockElements; ++block)
      if (!mxfp4_scale_folds(static_cast<uint32_t>(scales[block * (ggml ? kMxfp4GgmlBlockBytes : 1)]))) return false;
  }
  return true;
}

Status pack_strips(const StripShape& shape, std::span<const StripRow> rows, std::byte* out) {
  std::memset(out, 0, shape.bytes());
  for (uint32_t i = 0; i < rows.size(); ++i) {
    std::byte* strip = out + uint64_t{i / kStripRows} * shape.strip_bytes();
    const uint32_t group_row = i % kStripRows;
    const UnpackedRow row = unpack(shape, rows[i]);
    GOS_TRY_STATUS(check_scales(shape, row));
    for (uint32_t step = 0; step < shape.num_steps(); ++step) write_codes(shape, row, group_row, step, strip);
    write_scales(shape, row, group_row, strip + shape.scales_offset());
    std::memcpy(strip + shape.bias_offset() + group_row * 4, &rows[i].bias, 4);
  }
  return {};
}

}  // namespace gossamer::kernels::cuda
