#pragma once
/// The order of weights in device memory, and who reads what of it. Host and device share these constants; all of it is
/// tested without a GPU.
///
/// A matrix [N, K] is cut into strips of 16 rows, each in one piece: codes, scales, then 16 biases in float32. A strip
/// is the left operand of mma.m16n8k16, tokens are the right one: 8 tokens fill an instruction, so that a single token
/// wastes no weights, only idle arithmetic. K is taken in steps of 64 columns (zeros behind the last), a step is 32
/// lanes by one to four 16-byte vectors:
///
///     lane l: group g = l / 4 (rows g and g + 8 of the strip), quad t = l % 4
///     of each 32 columns of the step it holds the columns 8t .. 8t + 7 of both rows
///
/// The instruction adds over 16 columns and does not care which: the two of every 32 columns take {8t, 8t + 1, 8t + 2,
/// 8t + 3} and {8t + 4, ...} from quad t. So eight columns of a row stand together in weights and in activations, and
/// both are read 16 bytes at a time.
///
///     format  vectors a lane and step                                       scales of a step
///     16-bit  4: [32 columns][row g | g + 8] 8 numbers each                 none
///     kQ8     2: [32 columns] 8 bytes of row g, 8 of g + 8                  [8 groups][32 columns][row g | g + 8] f16
///     kMxfp4  1: [32 columns][row g | g + 8] a word of 8 codes each         [8 groups][32 columns][row g | g + 8] E8M0
///
/// A word of MXFP4 has the pair p of its 8 codes (columns 2p, 2p + 1) one in each half: its numbers (two exponent bits,
/// one of mantissa) where a shift left by mxfp4_number_shift(p) brings them to bits 11 .. 9, its signs where one by
/// mxfp4_sign_shift(p) brings them to bit 15. There a half-precision float has them, as the value times 2^-14;
/// exponents of scales are stored 14 larger for it. Of two pairs both shifts are the same, so one mask takes both; no
/// order of 16 bits does that for three (all were tried).

#include <cstddef>
#include <cstdint>

namespace gossamer::kernels::cuda {

enum class StripFormat : uint8_t { kBf16, kF16, kQ8, kMxfp4 };

inline constexpr uint32_t kStripRows = 16;
inline constexpr uint32_t kStepCols = 64;

inline constexpr uint32_t kScaleOfCodes = 14;  // codes in half precision are 2^14 times too small

constexpr uint32_t mxfp4_number_shift(uint32_t pair) {
  return 3 * pair;
}
constexpr uint32_t mxfp4_sign_shift(uint32_t pair) {
  return pair < 2 ? 3 * pair : pair - 1;
}

/// Whether codes times a scale (its E8M0 byte) are all half-precision numbers: 0.5 * 2^-23 is the smallest subnormal
/// one, and 2^1 * 2^14 the largest power of two by which codes, 2^-14 of their values, can be multiplied in one step.
constexpr bool mxfp4_scale_folds(uint32_t scale) {
  return 127 - 23 <= scale && scale <= 127 + 1;
}

/// 16-byte vectors of codes that a lane reads of a step.
constexpr uint32_t step_vectors(StripFormat format) {
  return format == StripFormat::kMxfp4 ? 1 : format == StripFormat::kQ8 ? 2 : 4;
}
constexpr uint32_t step_scale_bytes(StripFormat format) {
  return format == StripFormat::kMxfp4 ? 2 * kStripRows : format == StripFormat::kQ8 ? 4 * kStripRows : 0;
}
/// What tokens are rounded to where they meet such weights: bf16 meets bf16, everything else half precision.
constexpr bool takes_bf16(StripFormat format) {
  return format == StripFormat::kBf16;
}

/// Columns with the zeros behind them: the stride of activations too.
constexpr uint32_t padded_cols(uint32_t cols) {
  return (cols + kStepCols - 1) / kStepCols * kStepCols;
}

/// Which rows of a matrix a strip has.
enum class RowOrder : uint8_t {
  kPlain,      ///< strip s has the rows 16 s .. 16 s + 15
  kHeadHalves  ///< heads of 64 rows: numbers d .. d + 7 of a head and d + 32 .. d + 39, which rotation turns together
};
inline constexpr uint32_t kRowsOfHead = 64;

/// Where everything is in the strips of a matrix.
struct StripShape {
  StripFormat format = StripFormat::kBf16;
  uint32_t rows = 0, cols = 0;
  RowOrder order = RowOrder::kPlain;

  constexpr uint32_t num_strips() const { return (rows + kStripRows - 1) / kStripRows; }
  constexpr uint32_t num_steps() const { return padded_cols(cols) / kStepCols; }
  constexpr uint32_t codes_bytes() const { return num_steps() * step_vectors(format) * 512; }
  constexpr uint32_t scales_offset() const { return codes_bytes(); }
  constexpr uint32_t bias_offset() const { return codes_bytes() + num_steps() * step_scale_bytes(format); }
  /// A multiple of 128; 24 KiB of a strip of 2,880 columns in MXFP4.
  constexpr uint32_t strip_bytes() const { return (bias_offset() + kStripRows * 4 + 127) / 128 * 128; }
  constexpr uint64_t bytes() const { return uint64_t{strip_bytes()} * num_strips(); }
  /// The row of the matrix that is row i (0 .. 15) of a strip.
  constexpr uint32_t row_at(uint32_t strip, uint32_t i) const {
    if (order == RowOrder::kPlain) return strip * kStripRows + i;
    return strip / 4 * kRowsOfHead + strip % 4 * 8 + i % 8 + i / 8 * (kRowsOfHead / 2);
  }
};
static_assert(StripShape{StripFormat::kMxfp4, 16, 2880}.strip_bytes() == 24 << 10);

/// The columns of a step that lane `quad` holds at `pair` (0 .. 3) of the 32 columns `half`.
constexpr uint32_t column_of(uint32_t half, uint32_t quad, uint32_t pair) {
  return 32 * half + 8 * quad + 2 * pair;
}

/// K is added up in kSlices runs of steps, each from zero, and the runs in order: by eight warps that share a strip, or
/// by one warp that has it alone. So a token's bits do not depend on how many there are.
inline constexpr uint32_t kSlices = 8;
constexpr uint32_t slice_begin(uint32_t slice, uint32_t num_steps) {
  return slice * num_steps / kSlices;
}

}  // namespace gossamer::kernels::cuda
