/// Weights as they lie in device memory, without any kernel: who holds what of a strip, bit by bit, and a product in
/// plain loops by 32 lanes that read the packed strips as strips.h says.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <set>

#include "kernels/cuda/pack_strips.h"
#include "kernels/made_up_weights.h"
#include "kernels/read_row.h"

namespace gossamer::testing {
namespace {

using namespace kernels;
using namespace kernels::cuda;

constexpr Format kStripFormats[] = {{Dtype::kF16},
                                    {Dtype::kBf16},
                                    {Dtype::kQ8_0},
                                    {Dtype::kMxfp4, Mxfp4Layout::kSplit},
                                    {Dtype::kMxfp4, Mxfp4Layout::kGgml}};

struct Packed {
  StripShape shape;
  std::vector<std::byte> bytes;
};
Packed pack(const WeightRows& w, const float* bias = nullptr) {
  const BiasedRows matrix{&w, bias};
  const auto rows = rows_below_each_other({&matrix, 1});
  auto shape = strip_shape(rows);
  EXPECT_TRUE(shape.ok());
  Packed packed{*shape, std::vector<std::byte>(shape->bytes())};
  EXPECT_TRUE(pack_strips(*shape, rows, packed.bytes.data()).ok());
  return packed;
}

/// Weights of zeros (with scales of zero bits), in which single numbers are then set.
struct Zeros {
  std::vector<std::byte> data, scales;
  WeightRows rows;
  Zeros(const Format& format, uint32_t n, uint32_t k) {
    const bool split = format.dtype == Dtype::kMxfp4 && format.layout == Mxfp4Layout::kSplit;
    const uint64_t stride = split ? k / 2 : row_bytes(format.dtype, k);
    data.resize(n * stride);
    scales.resize(split ? n * k / kBlockElements : 0);
    rows = {format.dtype,
            format.layout,
            n,
            k,
            data.data(),
            stride,
            split ? scales.data() : nullptr,
            split ? k / kBlockElements : 0};
  }

  /// All bits of the code at `col`.
  void fill_code(uint32_t row, uint32_t col) {
    std::byte* at = data.data() + row * rows.row_stride_bytes;
    const uint32_t block = col / kBlockElements, i = col % kBlockElements;
    if (rows.dtype == Dtype::kQ8_0)
      at[block * kQ8BlockBytes + 2 + i] = std::byte{0xff};
    else if (rows.dtype != Dtype::kMxfp4)
      std::memset(at + 2 * col, 0xff, 2);
    else if (rows.layout == Mxfp4Layout::kSplit)
      at[block * kMxfp4SplitBlockBytes + i / 2] |= std::byte(i % 2 ? 0xf0 : 0x0f);
    else
      at[block * kMxfp4GgmlBlockBytes + 1 + i % 16] |= std::byte(i < 16 ? 0x0f : 0xf0);
  }
  void set_scale(uint32_t row, uint32_t block, uint8_t bits) {
    if (rows.dtype == Dtype::kQ8_0)
      std::memset(data.data() + row * rows.row_stride_bytes + block * kQ8BlockBytes, bits, 2);
    else if (rows.layout == Mxfp4Layout::kSplit)
      scales[row * rows.scale_stride_bytes + block] = std::byte{bits};
    else
      data[row * rows.row_stride_bytes + block * kMxfp4GgmlBlockBytes] = std::byte{bits};
  }
};

/// Which bits differ.
std::set<uint64_t> changed_bits(const std::vector<std::byte>& a, const std::vector<std::byte>& b) {
  std::set<uint64_t> bits;
  for (uint64_t i = 0; i < a.size(); ++i)
    for (uint32_t bit = 0; bit < 8 && a[i] != b[i]; ++bit)
      if (std::to_integer<uint32_t>((a[i] ^ b[i]) >> bit) & 1) bits.insert(8 * i + bit);
  return bits;
}

/// Every bit of the codes of a strip belongs to one number, and every number has as many as its format.
TEST(StripLayout, NumbersAndBitsOfTheStripsAreABijection) {
  constexpr uint32_t kRows = 2 * kStripRows, kCols = 2 * kStepCols;
  for (const Format& format : kStripFormats) {
    const uint32_t bits_of_code = format.dtype == Dtype::kMxfp4 ? 4 : format.dtype == Dtype::kQ8_0 ? 8 : 16;
    const Packed nothing = pack(Zeros(format, kRows, kCols).rows);
    std::set<uint64_t> taken;
    for (uint32_t row = 0; row < kRows; ++row)
      for (uint32_t col = 0; col < kCols; ++col) {
        Zeros w(format, kRows, kCols);
        w.fill_code(row, col);
        const auto bits = changed_bits(pack(w.rows).bytes, nothing.bytes);
        ASSERT_EQ(bits.size(), bits_of_code) << dtype_name(format.dtype) << " row " << row << " column " << col;
        for (const uint64_t bit : bits) {
          const uint64_t in_strip = bit / 8 % nothing.shape.strip_bytes();
          ASSERT_EQ(bit / 8 / nothing.shape.strip_bytes(), row / kStripRows);
          ASSERT_LT(in_strip, nothing.shape.codes_bytes());
          ASSERT_TRUE(taken.insert(bit).second) << "row " << row << " column " << col << " shares a bit";
        }
      }
    EXPECT_EQ(taken.size(), 2 * uint64_t{nothing.shape.codes_bytes()} * 8) << dtype_name(format.dtype);
  }
}

TEST(StripLayout, ScalesAndBiasesHaveTheirOwnPlaces) {
  constexpr uint32_t kRows = 2 * kStripRows, kCols = 3 * kStepCols;
  for (const Format& format : kStripFormats) {
    std::vector<float> bias(kRows, 0.f);
    const Packed nothing = pack(Zeros(format, kRows, kCols).rows, bias.data());
    const StripShape& shape = nothing.shape;
    std::set<uint64_t> taken;
    const auto take = [&](const std::vector<std::byte>& packed, uint32_t row, uint64_t from, uint64_t to) {
      for (uint64_t i = 0; i < packed.size(); ++i) {
        if (packed[i] == nothing.bytes[i]) continue;
        EXPECT_EQ(i / shape.strip_bytes(), row / kStripRows);
        EXPECT_GE(i % shape.strip_bytes(), from);
        EXPECT_LT(i % shape.strip_bytes(), to);
        EXPECT_TRUE(taken.insert(i).second) << "byte " << i;
      }
    };
    if (shape.bias_offset() > shape.scales_offset())
      for (uint32_t row = 0; row < kRows; ++row)
        for (uint32_t block = 0; block < kCols / kBlockElements; ++block) {
          Zeros w(format, kRows, kCols);
          w.set_scale(row, block, 0x7b);
          take(pack(w.rows, bias.data()).bytes, row, shape.scales_offset(), shape.bias_offset());
        }
    EXPECT_EQ(taken.size(), 2 * (shape.bias_offset() - shape.scales_offset())) << dtype_name(format.dtype);
    for (uint32_t row = 0; row < kRows; ++row) {
      bias[row] = std::bit_cast<float>(0x7b7b7b7bu);
      take(pack(Zeros(format, kRows, kCols).rows, bias.data()).bytes, row, shape.bias_offset(),
           shape.bias_offset() + kStripRows * 4);
      bias[row] = 0;
    }
    EXPECT_EQ(taken.size(), 2 * (shape.bias_offset() - shape.scales_offset() + kStripRows * 4));
  }
}

/// Which column an instruction adds at its index k, of those that lane `quad` holds in register pair `pair`: on the
/// side of the weights and of the activations this is column_of(), so it need only be some order of all of them.
TEST(StripLayout, InstructionsTakeEveryColumnOfAStepOnce) {
  std::set<uint32_t> columns;
  for (uint32_t half = 0; half < 2; ++half)
    for (uint32_t i = 0; i < 2; ++i)
      for (uint32_t k = 0; k < 16; ++k)
        EXPECT_TRUE(columns.insert(column_of(half, k % 8 / 2, 2 * i + k / 8) + k % 2).second);
  EXPECT_EQ(columns.size(), kStepCols);
  EXPECT_EQ(*columns.rbegin(), kStepCols - 1);
}

/// All steps are in one slice each, in order, whatever their number.
TEST(StripLayout, SlicesTakeEveryStepOnce) {
  for (uint32_t num_steps = 1; num_steps <= 300; ++num_steps) {
    EXPECT_EQ(slice_begin(0, num_steps), 0u);
    EXPECT_EQ(slice_begin(kSlices, num_steps), num_steps);
    for (uint32_t slice = 0; slice < kSlices; ++slice) {
      ASSERT_LE(slice_begin(slice, num_steps), slice_begin(slice + 1, num_steps));
      ASSERT_LE(slice_begin(slice + 1, num_steps) - slice_begin(slice, num_steps), num_steps / kSlices + 1);
    }
  }
}

/// A strip as its lanes see it: 16 bytes here and there, and what bits of them mean.
class Lane {
 public:
  Lane(const StripShape& shape, const std::byte* strip, uint32_t lane) : shape_(shape), strip_(strip), lane_(lane) {}

  /// The two numbers of register 2 * pair + below of instruction i of the 32 columns `half`, without their scale.
  std::pair<double, double> numbers(uint32_t step, uint32_t half, uint32_t i, uint32_t pair, uint32_t below) const {
    const uint32_t p = 2 * i + pair;
    switch (shape_.format) {
      case StripFormat::kBf16:
      case StripFormat::kF16: {
        const uint32_t word = word_of(step, 2 * half + below, p);
        const auto value = [&](uint32_t bits) {
          return shape_.format == StripFormat::kBf16 ? bf16_to_f32(static_cast<uint16_t>(bits))
                                                     : f16_to_f32(static_cast<uint16_t>(bits));
        };
        return {value(word & 0xffff), value(word >> 16)};
      }
      case StripFormat::kQ8: {
        const uint32_t word = word_of(step, half, 2 * below + i) >> 16 * pair;
        return {static_cast<int8_t>(word), static_cast<int8_t>(word >> 8)};
      }
      case StripFormat::kMxfp4: {
        const uint32_t word = word_of(step, 0, 2 * half + below);
        const auto value = [&](uint32_t shift) {
          const uint32_t bits = word >> shift & 0xffff;
          const uint32_t number = bits << mxfp4_number_shift(p) & 0x0e00, sign = bits << mxfp4_sign_shift(p) & 0x8000;
          return static_cast<double>(f16_to_f32(static_cast<uint16_t>(number | sign)));
        };
        return {value(0), value(16)};
      }
    }
    return {};
  }
  double scale(uint32_t step, uint32_t half, uint32_t below) const {
    const std::byte* scales = strip_ + shape_.scales_offset() + step * step_scale_bytes(shape_.format);
    const uint32_t at = lane_ / 4 * 4 + 2 * half + below;
    if (shape_.format == StripFormat::kQ8) {
      uint16_t bits;
      std::memcpy(&bits, scales + 2 * at, 2);
      return f16_to_f32(bits);
    }
    if (shape_.format == StripFormat::kMxfp4) return std::bit_cast<float>(std::to_integer<uint32_t>(scales[at]) << 23);
    return 1;
  }

 private:
  uint32_t word_of(uint32_t step, uint32_t vector, uint32_t word) const {
    uint32_t bits;
    std::memcpy(
        &bits, strip_ + (step * step_vectors(shape_.format) + vector) * 512 + uint64_t{lane_} * 16 + uint64_t{word} * 4,
        4);
    return bits;
  }

  const StripShape& shape_;
  const std::byte* strip_;
  uint32_t lane_;
};

/// [16 rows][8 tokens] as the lanes of a warp add them up: lane 4g + t has rows g and g + 8 of the weights, columns 2t,
/// 2t + 1, 2t + 8, 2t + 9 of an instruction, and those columns of token g; x [8, stride].
std::vector<double> sums_of_strip(const StripShape& shape, const std::byte* strip, const std::vector<double>& x,
                                  uint32_t stride) {
  std::vector<double> sums(kStripRows * 8, 0.0);
  for (uint32_t step = 0; step < shape.num_steps(); ++step)
    for (uint32_t half = 0; half < 2; ++half)
      for (uint32_t i = 0; i < 2; ++i)
        for (uint32_t lane = 0; lane < 32; ++lane) {
          const Lane weights(shape, strip, lane);
          const uint32_t group = lane / 4, quad = lane % 4;
          for (uint32_t pair = 0; pair < 2; ++pair)
            for (uint32_t below = 0; below < 2; ++below) {
              const auto [first, second] = weights.numbers(step, half, i, pair, below);
              // The lane of token n with the same quad: words 2i + pair of its 16 bytes.
              const uint32_t col = step * kStepCols + 32 * half + 8 * quad + 2 * (2 * i + pair);
              for (uint32_t n = 0; n < 8; ++n)
                sums[(group + 8 * below) * 8 + n] +=
                    weights.scale(step, half, below) * (first * x[n * stride + col] + second * x[n * stride + col + 1]);
            }
        }
  return sums;
}

TEST(StripLayout, LanesFindThePlainProduct) {
  std::mt19937 rng(1);
  for (const Format& format : kStripFormats)
    for (const auto& [n, k] : {std::pair<uint32_t, uint32_t>{16, 64}, {67, 96}, {1, 32}, {40, 736}}) {
      const RandomMatrix w(format.dtype, format.layout, n, k, rng);
      const auto bias = random_floats(n, rng);
      const Packed packed = pack(w.rows, bias.data());
      const uint32_t stride = padded_cols(k);
      std::vector<double> x(8 * stride, 1e30);  // whatever is behind the last column meets zeros
      for (uint32_t token = 0; token < 8; ++token)
        for (uint32_t col = 0; col < k; ++col) x[token * stride + col] = static_cast<int>(rng() % 2001) - 1000;
      std::vector<float> row(k);
      for (uint32_t s = 0; s < packed.shape.num_strips(); ++s) {
        const std::byte* strip = packed.bytes.data() + uint64_t{s} * packed.shape.strip_bytes();
        const auto sums = sums_of_strip(packed.shape, strip, x, stride);
        for (uint32_t r = 0; r < kStripRows; ++r) {
          const uint32_t of_matrix = s * kStripRows + r;
          std::fill(row.begin(), row.end(), 0.f);
          if (of_matrix < n) read_row(w.rows, of_matrix, row.data());
          float stored_bias;
          std::memcpy(&stored_bias, strip + packed.shape.bias_offset() + 4 * r, 4);
          EXPECT_EQ(stored_bias, of_matrix < n ? bias[of_matrix] : 0.f);
          for (uint32_t token = 0; token < 8; ++token) {
            double want = 0, magnitude = 0;
            for (uint32_t col = 0; col < k; ++col) {
              want += static_cast<double>(row[col]) * x[token * stride + col];
              magnitude += std::fabs(static_cast<double>(row[col]) * x[token * stride + col]);
            }
            // MXFP4: numbers are 2^-14 of their codes, scales 2^14 of the file's.
            ASSERT_NEAR(sums[r * 8 + token], want, magnitude * 0x1p-40)
                << dtype_name(format.dtype) << " " << n << "x" << k << " row " << of_matrix << " token " << token;
          }
        }
      }
    }
}

/// 16 codes at each of 32 places, with each scale that is admitted: what a lane makes of them is the file's number.
TEST(StripLayout, EveryCodeAtEveryPlaceWithEveryScaleIsExact) {
  constexpr uint32_t kScales = 241;
  for (uint32_t turn = 0; turn < 16; ++turn) {
    std::vector<std::byte> codes(kScales * 16), scales(kScales);
    for (uint32_t s = 0; s < kScales; ++s) {
      scales[s] = static_cast<std::byte>(s);
      for (uint32_t j = 0; j < 16; ++j)
        codes[s * 16 + j] = static_cast<std::byte>((2 * j + turn) % 16 | (2 * j + 1 + turn) % 16 << 4);
    }
    const WeightRows w{Dtype::kMxfp4, Mxfp4Layout::kSplit, kScales, 32, codes.data(), 16, scales.data(), 1};
    const Packed packed = pack(w);
    std::vector<float> row(32);
    for (uint32_t s = 0; s < kScales; ++s) {
      read_row(w, s, row.data());
      const std::byte* strip = packed.bytes.data() + uint64_t{s / kStripRows} * packed.shape.strip_bytes();
      const uint32_t group = s % 8, below = s % kStripRows / 8;
      for (uint32_t col = 0; col < 32; col += 2) {
        const uint32_t quad = col / 8, p = col % 8 / 2;
        const Lane lane(packed.shape, strip, 4 * group + quad);
        const auto [first, second] = lane.numbers(0, 0, p / 2, p % 2, below);
        ASSERT_EQ(static_cast<float>(first * lane.scale(0, 0, below)), row[col]) << "scale " << s << " column " << col;
        ASSERT_EQ(static_cast<float>(second * lane.scale(0, 0, below)), row[col + 1]) << "scale " << s;
      }
    }
  }
}

/// Gate and up of a unit are rows g and g + 8 of a strip, so that a lane has both.
TEST(StripLayout, GateAndUpMeetInALane) {
  constexpr uint32_t kUnits = 21, kCols = 64;
  std::mt19937 rng(2);
  const RandomMatrix gate(Dtype::kBf16, {}, kUnits, kCols, rng), up(Dtype::kBf16, {}, kUnits, kCols, rng);
  const auto gate_bias = random_floats(kUnits, rng), up_bias = random_floats(kUnits, rng);
  const auto rows = rows_side_by_side({&gate.rows, gate_bias.data()}, {&up.rows, up_bias.data()});
  ASSERT_EQ(rows.size(), 2 * 24u);
  for (uint32_t i = 0; i < rows.size(); ++i) {
    const uint32_t unit = i / kStripRows * 8 + i % 8;
    const bool is_up = i % kStripRows >= 8;
    if (unit >= kUnits) {
      EXPECT_EQ(rows[i].w, nullptr);
      EXPECT_EQ(rows[i].bias, 0.f);
      continue;
    }
    EXPECT_EQ(rows[i].w, is_up ? &up.rows : &gate.rows);
    EXPECT_EQ(rows[i].row, unit);
    EXPECT_EQ(rows[i].bias, (is_up ? up_bias : gate_bias)[unit]);
  }
}

}  // namespace
}  // namespace gossamer::testing
